// Field pages stay readable without a link: the service worker keeps what was seen last. It needs TLS (or this machine).
if (window.isSecureContext && "serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js");
