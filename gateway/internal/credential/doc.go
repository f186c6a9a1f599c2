// Package credential gets the access tokens that the gateway sends to upstreams: by OAuth client
// credentials (RFC 6749, section 4.4), one for all requests, or by token exchange (RFC 8693), one
// for each principal. Both name the upstream as their resource (RFC 8707).
//
// A principal's own token goes to the token endpoint only, as subject_token. It never goes to an
// upstream. Errors have nothing of what a token endpoint said but the error codes of the RFCs.
//
// The responses of authorization servers are hostile: they have limits on size and time, and no
// redirect is followed.
package credential
