// Package auth says who asks: what a bearer token stands for, and how the verified token travels
// with a request. Its names are those of the official Go SDK's package auth.
package auth
