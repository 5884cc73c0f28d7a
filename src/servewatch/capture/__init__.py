"""Where traffic is observed: the middleware, the model wrapper, the current request."""
