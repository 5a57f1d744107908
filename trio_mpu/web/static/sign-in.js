/* Signing in leads back to the view that was asked for: it is behind the # of the address, and a browser keeps that on
 * its way from page to form, and from the form's address to the page. */

for (const form of document.forms) form.action = `sign-in${location.hash}`;

// Who follows another site's link comes without the cookie, though there may be one: it is for our own requests only.
// This is one. A form that says what is wrong stays.
if (document.querySelector("[role=alert]:empty")) {
  const page = await (await fetch("sign-in", { cache: "no-store" })).text();
  if (page.includes('name="sign-out"')) location.replace(`./${location.hash}`);
}
