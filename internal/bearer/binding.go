package bearer

import "context"

type withoutBinding struct{}

// WithoutBinding returns a copy of ctx for a verifier whose caller checks by itself whether a token
// that is bound to a certificate comes with it.
func WithoutBinding(ctx context.Context) context.Context {
	return context.WithValue(ctx, withoutBinding{}, true)
}

// IsWithoutBinding reports whether ctx derives from a context of WithoutBinding.
func IsWithoutBinding(ctx context.Context) bool { return ctx.Value(withoutBinding{}) != nil }
