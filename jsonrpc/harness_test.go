package jsonrpc

import "strconv"

// distinctNames returns a notification whose params have n members.
func distinctNames(n int) []byte {
	b := []byte(`{"jsonrpc":"2.0","method":"m","params":{`)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = strconv.AppendInt(b, int64(i), 36)
		b = append(b, `":0`...)
	}
	return append(b, "}}"...)
}
