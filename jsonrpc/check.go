package jsonrpc

import "unicode/utf8"

// Check returns an *Error with CodeParseError unless data is one value that may be a part of a
// message: a result, for example. White space around it does not matter. It refuses what
// [Envelope.Decode] refuses, and does not allocate.
func Check(data []byte) error {
	switch {
	case uint64(len(data)) > maxText:
		return errSize
	case !utf8.Valid(data):
		return errUTF8
	}
	i := scanValue(data, skipSpace(data, 0), 1) // one object is open: the message
	if i >= 0 {
		i = scanEnd(data, i)
	}
	if i < 0 {
		return scanError(i)
	}
	return nil
}
