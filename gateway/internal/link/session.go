package link

// A Sessioned is a Link that knows whether the upstream keeps a session for it. Links that do not
// say are taken for links with a session.
type Sessioned interface {
	// HasSession reports whether the response to initialize began a session. Without one, the upstream
	// cannot tell fronts apart, and all may share a link. It is called after that response.
	HasSession() bool
}
