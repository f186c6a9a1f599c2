// Package auth is about bearer tokens: what a verified token says ([TokenInfo]), and how that gets
// to handlers. For servers on net/http it has middleware that demands a token (RFC 6750), and a
// handler that publishes which authorization servers issue tokens (RFC 9728). Its names are those
// of package auth of the official Go SDK.
package auth
