// Package jsonrpc reads and writes JSON-RPC 2.0 envelopes as the Model Context
// Protocol uses them, from and into byte slices, without allocating.
//
// It obeys the JSON-RPC 2.0 specification (https://www.jsonrpc.org/specification)
// over RFC 8259, with the restrictions of RFC 7493 (I-JSON) that make a document
// mean the same to everyone who reads it:
//
//   - the text is valid UTF-8, without a byte order mark, and no \u escape stands
//     for half a surrogate pair;
//   - no object, at any depth, names a member twice, compared after unescaping;
//   - at most [MaxDepth] objects and arrays are open at once;
//   - nothing but white space follows the value.
//
// and with those of MCP: an id is a string or an integer and never null, params
// is an object. Where JSON-RPC is stricter than what serializers write, an optional
// member that is null is taken as absent.
//
// [Message.Decode] is one pass of the package's own scanner; nothing is read
// twice and nothing is copied. What it accepts is held by fuzz tests to be
// exactly what github.com/goccy/go-json/jsontext accepts within the depth limit,
// and never anything that encoding/json refuses. See
// design/2026-11-22-envelope-scanner.md.
//
// The slices of a Message alias the bytes given to Decode. They are JSON that has
// been validated already, so that [Member], [Members], [Elements], [Unquote],
// [StringValue] and [IntValue] can walk them quickly; on anything else those
// functions give meaningless results, but end and do not panic.
//
// Writing is by appending to a slice: [AppendRequest], [AppendNotification],
// [AppendResult], [AppendError]. They take JSON that the caller vouches for.
//
// A refusal is an [*Error], the object that goes back to the peer. Its texts are
// fixed and never repeat what the peer sent.
package jsonrpc
