// Renders the contract of this very server; nothing is loaded from elsewhere.
Scalar.createApiReference("#reference", {
  url: "/api/openapi.json",
  servers: [{ url: window.location.origin + "/api", description: "This server" }],
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
});
