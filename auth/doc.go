// Package auth says who asks: what a bearer token stands for, and how the verified token travels
// with a request. For hosts on net/http it has the middleware that demands a token (RFC 6750), and
// the handler that publishes where tokens come from (RFC 9728). Its names are those of the official
// Go SDK's package auth.
package auth
