package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// minToken is the minimum length of a token in bytes.
const minToken = 16

// adminTokens are the hashes of the tokens that the admin listener accepts.
type adminTokens [][sha256.Size]byte

// readAdminTokens reads tokens from a file, one per line. If file is "", there are none.
func readAdminTokens(file string) (adminTokens, error) {
	if file == "" {
		return nil, nil
	}
	const setting = "admin-token-file"
	var tokens adminTokens
	err := eachLine(setting, file, func(line string) error {
		switch {
		case len(line) < minToken:
			return fmt.Errorf("token has only %d bytes, at least %d are required", len(line), minToken)
		case strings.ContainsAny(line, " \t"):
			return errors.New("token has white space")
		}
		tokens = append(tokens, sha256.Sum256([]byte(line)))
		return nil
	})
	if err == nil && len(tokens) == 0 {
		err = fmt.Errorf("%s: %s: no tokens", setting, file)
	}
	return tokens, err
}

// accept reports whether token is one of the tokens. It takes the same time for all tokens of a
// length.
func (a adminTokens) accept(token string) bool {
	sum, found := sha256.Sum256([]byte(token)), 0
	for i := range a {
		found |= subtle.ConstantTimeCompare(sum[:], a[i][:])
	}
	return found == 1
}

// guard returns a handler that serves requests with one of the tokens, and health checks, with h.
// Others get 401. If there are no tokens, it is h.
func guard(h http.Handler, tokens adminTokens) http.Handler {
	if len(tokens) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			h.ServeHTTP(w, r)
			return
		}
		challenge := `Bearer realm="mooring admin"`
		if fields := r.Header.Values("Authorization"); len(fields) > 0 {
			scheme, token, _ := strings.Cut(fields[0], " ")
			if len(fields) == 1 && strings.EqualFold(scheme, "Bearer") && tokens.accept(strings.TrimSpace(token)) {
				h.ServeHTTP(w, r)
				return
			}
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
		http.Error(w, "a token is required", http.StatusUnauthorized)
	})
}
