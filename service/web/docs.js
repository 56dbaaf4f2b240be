// Shows the OpenAPI document with Swagger UI.

window.SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
