// Package jsonrpc reads and writes JSON-RPC 2.0 envelopes as the Model Context
// Protocol uses them, from and into byte slices, without allocating.
//
// It follows the JSON-RPC 2.0 specification (https://www.jsonrpc.org/specification)
// over RFC 8259, with those restrictions of RFC 7493 (I-JSON) that make a document
// mean the same to every reader:
//
//   - the text is valid UTF-8, without a byte order mark, and no \u escape is half
//     of a surrogate pair;
//   - no object, at any depth, names a member twice, compared after unescaping;
//   - at most [MaxDepth] objects and arrays are open at once;
//   - nothing but white space follows the value.
//
// It also has the restrictions of MCP: an id is a string or an integer and never
// null, and params is an object. Because serializers are less strict than
// JSON-RPC, an optional member that is null counts as absent.
//
// [Envelope.Decode] is one pass of the package's own scanner. It reads nothing
// twice and copies nothing. Fuzz tests check that it accepts exactly what
// github.com/goccy/go-json/jsontext accepts within the depth limit, and nothing
// that encoding/json refuses. See design/2026-11-22-envelope-scanner.md.
//
// The slices of an Envelope alias the bytes given to Decode. They are validated
// JSON, so that [Member], [Members], [Elements], [Unquote], [StringValue] and
// [IntValue] can walk them quickly. On anything else those functions return
// meaningless results, but they end and do not panic.
//
// Writers append to a slice: [AppendRequest], [AppendNotification],
// [AppendResult] and [AppendError]. They take JSON that the caller vouches for.
//
// A refusal is an [*Error], the object that goes back to the peer. Its texts are
// fixed and never repeat what the peer sent.
package jsonrpc
