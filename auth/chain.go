package auth

import (
	"context"
	"errors"
	"net/http"
	"slices"
)

// Chain returns a verifier that asks verifiers one after the other, and returns what the first of
// them that accepts the token says. One that finds the token invalid passes it on to the next, and
// so does one that cannot tell: if nobody accepts the token, the error wraps [ErrUnavailable] if
// that was the error of any of them, and [ErrInvalidToken] otherwise. Any other error ends the
// chain. A chain of none accepts nothing.
//
// Put verifiers that need no network first. Chain panics if one of the verifiers is nil.
func Chain(verifiers ...TokenVerifier) TokenVerifier {
	if slices.ContainsFunc(verifiers, func(v TokenVerifier) bool { return v == nil }) {
		panic("auth: Chain: nil verifier")
	}
	verifiers = slices.Clone(verifiers)
	return func(ctx context.Context, token string, req *http.Request) (*TokenInfo, error) {
		invalid, unavailable := ErrInvalidToken, error(nil)
		for _, verify := range verifiers {
			info, err := verify(ctx, token, req)
			switch {
			case err == nil && info != nil:
				return info, nil
			case err == nil:
				return nil, errors.New("auth: a verifier of a chain returned neither a TokenInfo nor an error")
			case errors.Is(err, ErrUnavailable):
				if unavailable == nil {
					unavailable = err
				}
			case errors.Is(err, ErrInvalidToken):
				invalid = err
			default:
				return nil, err
			}
		}
		if unavailable != nil {
			return nil, unavailable
		}
		return nil, invalid
	}
}
