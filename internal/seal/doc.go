// Package seal hands state to clients in a form that they can neither read nor
// alter: authenticated encryption (AES-256-GCM, NIST SP 800-38D) under a ring of
// keys, written in base64url (RFC 4648, section 5, without padding).
//
// A sealed text is
//
//	base64url( key id, 4 octets | nonce, 12 octets | ciphertext | tag, 16 octets )
//
// The first key of a [Ring] seals and every key opens, so keys are rotated by
// putting the new one first and dropping the old one when all that it sealed
// has expired. Rings with the same keys and purpose open each other's texts, on
// any machine and after a restart; rings of different purposes never do.
//
// What a text is good for (method, caller, expiry) is for the caller to bind: in
// the additional data what must match, in the plaintext what must be known.
//
// Nonces are 8 random octets, drawn once per ring and again after 2^32 texts,
// and a counter. So a nonce repeats under one key only when two of the random
// parts are equal, and the number of texts has no practical bound, which
// 12 random octets would have. The counter tells a holder of two texts how many
// were sealed between them.
package seal
