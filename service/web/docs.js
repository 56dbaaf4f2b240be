// Shows the OpenAPI document with Swagger UI.

// Between the title and the groups of operations Swagger UI leaves out a level of headings.
const headingOfOperations = ({ React }) => ({
  wrapComponents: {
    InfoContainer: (Info) => (props) =>
      React.createElement(React.Fragment, null, React.createElement(Info, props), React.createElement("h2", { className: "unseen" }, "Operations")),
  },
});

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: false, // its links stand inside buttons, which keyboards and screen readers cannot tell apart
  validatorUrl: null,
  plugins: [headingOfOperations],
});
