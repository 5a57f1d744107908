/* For browsers that can't run the page, so written in the JavaScript of 1999: says so, instead of "Connecting" for ever.
 * In all others it shows the newest sample, before the rest has loaded, starts the page, and says when that fails. */

(function () {
  var page = document.documentElement;

  function say(words) {
    var notice = document.getElementById("notice");
    document.getElementById("words").appendChild(document.createTextNode(words));
    notice.removeAttribute("hidden");
    say = function () {}; // the first error says most
    if (page.getAttribute("data-state") === "connecting") document.getElementById("connection").style.display = "none";
  }

  // The newest of what the page uses. Who has findLast (2022) has private fields, ?. and the rest of the syntax.
  var wanted = ["fetch", "AbortController", "ReadableStream", "TextDecoder", "ResizeObserver", "IntersectionObserver",
    "BroadcastChannel", "Path2D"];
  var missing = "noModule" in document.createElement("script") && [].findLast ? "" : "modules of today";
  for (var i = 0; i < wanted.length; i += 1) if (!window[wanted[i]]) missing = wanted[i];
  if (missing) {
    say("This browser is too old for the live page (it has no " + missing + ").");
    return;
  }

  // Both as the page does it from then on: simulated figures are never seen without their badge.
  function showFirst(newest) {
    for (var flag in { simulated: 1, replayed: 1 }) {
      if (newest.flags.indexOf(flag) >= 0) document.getElementById("badge-" + flag).hidden = false;
    }
    for (var axis in newest.sample) {
      var digits = newest.sample[axis].toFixed(axis.charAt(0) === "a" ? 3 : 2);
      var sign = digits < 0 ? "\u2212" : digits > 0 && axis !== "temp" ? "+" : "";
      document.getElementById("value-" + axis).textContent = sign + digits.replace("-", "");
    }
  }
  var request = new XMLHttpRequest();
  request.open("GET", "json");
  request.onload = function () {
    if (request.status === 200 && page.getAttribute("data-state") === "connecting") showFirst(JSON.parse(request.responseText));
  };
  request.send();

  function failed(what) {
    say("The live page has failed: " + what + ". Reload it.");
  }
  window.onerror = function (message) {
    // Not an error, though it is reported as one: a layout took two frames.
    if (String(message).indexOf("ResizeObserver") < 0) failed(message);
  };
  var main = document.createElement("script");
  main.type = "module";
  main.src = "static/main.js";
  main.onerror = function () {
    failed("a part of it could not be loaded");
  };
  document.body.appendChild(main);
})();
