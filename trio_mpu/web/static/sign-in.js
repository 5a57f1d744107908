/* Signing in leads back to the view that was asked for: it is behind the # of the address, and a browser keeps that on
 * its way from page to form, and from the form's address to the page. */

for (const form of document.forms) form.action = `sign-in${location.hash}`;
