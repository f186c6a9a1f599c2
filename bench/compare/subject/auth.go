package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server"
)

// cacheTTL is shorter than the default, so that nobody has to wait a minute to see a server that
// has no verdicts any more.
const cacheTTL = 10 * time.Second

// authentication accepts tokens of the form "user.unix.rest", which expire at that time. It spends
// no time on a signature; what it returns is as large as what a verifier of JWTs returns.
func authentication() *server.Authentication {
	return &server.Authentication{CacheTTL: cacheTTL, Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		user, rest, _ := strings.Cut(token, ".")
		text, _, ok := strings.Cut(rest, ".")
		unix, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("not such a token: %w", auth.ErrInvalidToken)
		}
		scopes := []string{"mcp", "mcp:tools"}
		return &auth.TokenInfo{
			UserID: user, ClientID: "desktop-client", Issuer: "https://id.example.com/realms/staff", Scopes: scopes,
			Expiration: time.Unix(unix, 0),
			Extra: map[string]any{
				"iss": "https://id.example.com/realms/staff", "sub": user, "client_id": "desktop-client", "aud": "https://mcp.example.com/mcp",
				"exp": float64(unix), "iat": float64(unix - 300), "jti": token[len(token)-20:], "scope": strings.Join(scopes, " "), "typ": "Bearer",
			},
		}, nil
	}}
}
