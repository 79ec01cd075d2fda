// Stands in for Fingerprint's agent, with the interface of v4's: start(), and get() for each submit. It looks at the
// browser that it runs in; what follows from that is judged by the sandbox, as the real one's is by Fingerprint.
const LEFT_BEHIND = ["callPhantom", "_phantom", "__nightmare", "domAutomation", "domAutomationController",
  "__webdriver_evaluate", "__selenium_evaluate", "__driver_evaluate", "__fxdriver_evaluate", "Cypress"];

function readRenderer() {
  try {
    const gl = document.createElement("canvas").getContext("webgl");
    const named = gl && gl.getExtension("WEBGL_debug_renderer_info");
    return named ? String(gl.getParameter(named.UNMASKED_RENDERER_WEBGL)) : "";
  } catch (_) {
    return "";
  }
}

function look() {
  const languages = [...(navigator.languages || [])];
  return {
    webdriver: navigator.webdriver === true,
    user_agent: navigator.userAgent,
    languages,
    plugins: navigator.plugins ? navigator.plugins.length : 0,
    mobile: /Mobi|Android|iPhone|iPad/.test(navigator.userAgent),
    window: [window.outerWidth, window.outerHeight],
    globals: LEFT_BEHIND.filter((name) => name in window),
    // Nothing that a private window changes: no cookie, no storage, no size of a window. Some browsers tell a private
    // window's page of one language only, and of a number of processors and touch points that many have.
    device: [navigator.userAgent, navigator.platform, screen.colorDepth,
      Intl.DateTimeFormat().resolvedOptions().timeZone || "", languages[0] || "", readRenderer()],
  };
}

export function start() {
  return {
    async get(options = {}) {
      const seen = look();
      if (options.device) seen.device.push(options.device);
      const response = await fetch("/fingerprint/identify", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(seen),
      });
      if (!response.ok) throw new Error("no event");
      return response.json();
    },
  };
}
