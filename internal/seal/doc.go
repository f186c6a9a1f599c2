// Package seal hands state to clients in a form that they can neither read nor alter: authenticated
// encryption (AES-256-GCM, NIST SP 800-38D) under a ring of keys, encoded in base64url (RFC 4648,
// section 5, without padding).
//
// A sealed text is
//
//	base64url( key id, 4 octets | nonce, 12 octets | ciphertext | tag, 16 octets )
//
// The first key of a [Ring] seals and every key opens. To rotate keys, put the new one first, and
// drop the old one when everything that it sealed has expired. Rings with the same keys and purpose
// open each other's texts, on any machine and after a restart; rings with different purposes never
// do.
//
// The caller must bind a text to its use (method, caller, expiry): what must match belongs in the
// additional data, what must be known in the plaintext.
//
// A nonce consists of 8 random octets, drawn once per ring and again after 2^32 texts, and a
// counter. A nonce therefore repeats under one key only if two of the random parts are equal, and
// the number of texts has no practical limit, unlike with 12 random octets. The counter reveals to
// a holder of two texts how many were sealed between them.
package seal
