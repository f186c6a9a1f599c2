// Package certs serves certificates from files that change.
//
// A [Set] reads pairs of a certificate and a key, and the certificates of authorities that issue
// those of clients. Its [Set.Config] is for a server of crypto/tls, such as Server.ServeTLS or an
// http.Server. When files change, new handshakes have the new certificates, and connections that
// are open stay as they are. If the new files are not valid, the Set keeps the old ones and logs
// why, until they are.
//
// A Set has no goroutine and watches nothing: a handshake looks at the files if nobody has done so
// in the last second. A program may also call [Set.Reload], for example on SIGHUP.
package certs
