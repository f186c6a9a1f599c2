package jsonrpc

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// envelopeTests are the rules of the envelope. A wanted message is written as
// kind|id|method|params|result|error, a refusal as its code and the id that could
// be read.
var envelopeTests = []struct {
	name, in, want string
}{
	{"request", `{"jsonrpc":"2.0","id":1,"method":"a","params":{}}`, "request|1|a|{}||"},
	{"request without params", `{"jsonrpc":"2.0","id":1,"method":"a"}`, "request|1|a|||"},
	{"any order", `{"params":{"a":[1]},"method":"a","id":"x","jsonrpc":"2.0"}`, `request|"x"|a|{"a":[1]}||`},
	{"white space", " \t\r\n{ \"jsonrpc\" : \"2.0\" ,\n\"id\"\t:\r7 , \"method\":\"a\" , \"params\" : { } } \n", "request|7|a|{ }||"},
	{"notification", `{"jsonrpc":"2.0","method":"n/x"}`, "notification||n/x|||"},
	{"notification with params", `{"jsonrpc":"2.0","method":"n","params":{"a":null}}`, `notification||n|{"a":null}||`},
	{"unknown members", `{"jsonrpc":"2.0","id":1,"method":"a","extra":[{"id":null}],"":0}`, "request|1|a|||"},
	{"result", `{"jsonrpc":"2.0","id":1,"result":{"a":1}}`, `result|1|||{"a":1}|`},
	{"result null", `{"jsonrpc":"2.0","id":1,"result":null}`, "result|1|||null|"},
	{"error", `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}`, `error response|1||||{"code":-1,"message":"m"}`},
	{"error without id", `{"jsonrpc":"2.0","error":{"message":"","code":0,"data":[]}}`, `error response|||||{"message":"","code":0,"data":[]}`},
	{"empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, "request|1||||"},

	{"escaped method", `{"jsonrpc":"2.0","id":1,"method":"tools\/c\u0061ll"}`, "request|1|tools/call|||"},
	{"escaped names", `{"\u006asonrpc":"\u0032.0","\u0069\u0064":1,"\u006d\u0065\u0074\u0068\u006f\u0064":"a","\u0070arams":{}}`, "request|1|a|{}||"},

	{"id 0", `{"jsonrpc":"2.0","id":0,"method":"a"}`, "request|0|a|||"},
	{"id negative", `{"jsonrpc":"2.0","id":-5,"method":"a"}`, "request|-5|a|||"},
	{"id beyond 2^53", `{"jsonrpc":"2.0","id":9007199254740993,"method":"a"}`, "request|9007199254740993|a|||"},
	{"id 19 digits", `{"jsonrpc":"2.0","id":-9999999999999999999,"method":"a"}`, "request|-9999999999999999999|a|||"},
	{"id 20 digits", `{"jsonrpc":"2.0","id":10000000000000000000,"method":"a"}`, "-32600|"},
	{"id -0", `{"jsonrpc":"2.0","id":-0,"method":"a"}`, "-32600|"},
	{"id fraction", `{"jsonrpc":"2.0","id":1.0,"method":"a"}`, "-32600|"},
	{"id exponent", `{"jsonrpc":"2.0","id":1e2,"method":"a"}`, "-32600|"},
	{"id Exponent", `{"jsonrpc":"2.0","id":1E2,"method":"a"}`, "-32600|"},
	{"id 1e400", `{"jsonrpc":"2.0","id":1e400,"method":"a"}`, "-32600|"},
	{"id null", `{"jsonrpc":"2.0","id":null,"method":"a"}`, "-32600|"},
	{"id true", `{"jsonrpc":"2.0","id":true,"method":"a"}`, "-32600|"},
	{"id array", `{"jsonrpc":"2.0","id":[1],"method":"a"}`, "-32600|"},
	{"id object", `{"jsonrpc":"2.0","id":{},"method":"a"}`, "-32600|"},
	{"id empty string", `{"jsonrpc":"2.0","id":"","method":"a"}`, `request|""|a|||`},
	{"id verbatim", `{"jsonrpc":"2.0","id":"\u0041\/é","method":"a"}`, `request|"\u0041\/é"|a|||`},
	{"id 256 bytes", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 256) + `","method":"a"}`, `request|"` + strings.Repeat("x", 256) + `"|a|||`},
	{"id 257 bytes", `{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 257) + `","method":"a"}`, "-32600|"},
	{"id 256 escapes", `{"jsonrpc":"2.0","id":"` + strings.Repeat(`\u0078`, 256) + `","method":"a"}`, `request|"` + strings.Repeat(`\u0078`, 256) + `"|a|||`},
	{"id 257 escapes", `{"jsonrpc":"2.0","id":"` + strings.Repeat(`\n`, 257) + `","method":"a"}`, "-32600|"},
	{"id 86 times 3 bytes", `{"jsonrpc":"2.0","id":"` + strings.Repeat(`\u2028`, 86) + `","method":"a"}`, "-32600|"},
	{"id null in an error", `{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}`, `error response|||||{"code":1,"message":""}`},
	{"id null in a result", `{"jsonrpc":"2.0","id":null,"result":{}}`, "-32600|"},
	{"id null in a notification", `{"jsonrpc":"2.0","id":null,"method":"a","params":null}`, "-32600|"},
	{"id null with method and error", `{"jsonrpc":"2.0","id":null,"method":"a","error":{"code":1,"message":""}}`, "-32600|"},

	{"no jsonrpc", `{"id":1,"method":"a"}`, "-32600|1"},
	{"jsonrpc 1.0", `{"jsonrpc":"1.0","id":"i","method":"a"}`, `-32600|"i"`},
	{"jsonrpc 2", `{"jsonrpc":2.0,"id":1,"method":"a"}`, "-32600|1"},
	{"jsonrpc longer", `{"jsonrpc":"2.0.","id":1,"method":"a"}`, "-32600|1"},
	{"jsonrpc empty", `{"jsonrpc":"","id":1,"method":"a"}`, "-32600|1"},
	{"jsonrpc null", `{"jsonrpc":null,"id":1,"method":"a"}`, "-32600|1"},
	{"method number", `{"jsonrpc":"2.0","id":1,"method":1}`, "-32600|1"},
	{"method null", `{"jsonrpc":"2.0","id":1,"method":null}`, "-32600|1"},
	{"method null and result", `{"jsonrpc":"2.0","id":1,"method":null,"result":{}}`, "result|1|||{}|"},
	{"all others null in a request", `{"error":null,"jsonrpc":"2.0","result":null,"id":1,"params":null,"method":"a"}`, "request|1|a|||"},
	{"all others null in a notification", `{"error":null,"jsonrpc":"2.0","result":null,"params":null,"method":"a"}`, "notification||a|||"},
	{"all others null in a result", `{"error":null,"jsonrpc":"2.0","result":{"a":1},"id":1,"params":null,"method":null}`, `result|1|||{"a":1}|`},
	{"all others null in an error", `{"error":{"code":1,"message":""},"jsonrpc":"2.0","result":null,"id":1,"params":null,"method":null}`, `error response|1||||{"code":1,"message":""}`},
	{"all null", `{"error":null,"jsonrpc":"2.0","id":1,"params":null,"method":null}`, "-32600|1"},
	{"no method", `{"jsonrpc":"2.0","id":1}`, "-32600|1"},
	{"params array", `{"jsonrpc":"2.0","id":1,"method":"a","params":[]}`, "-32600|1"},
	{"params null", `{"jsonrpc":"2.0","id":1,"method":"a","params":null}`, "request|1|a|||"},
	{"params null in a response", `{"jsonrpc":"2.0","id":1,"result":{},"params":null}`, "result|1|||{}|"},
	{"params string", `{"jsonrpc":"2.0","id":1,"method":"a","params":"{}"}`, "-32600|1"},
	{"params in a response", `{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`, "-32600|1"},
	{"result and error", `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, "-32600|1"},
	{"method and result", `{"jsonrpc":"2.0","id":1,"method":"a","result":{}}`, "-32600|1"},
	{"method and error", `{"jsonrpc":"2.0","id":1,"method":"a","error":{"code":1,"message":""}}`, "-32600|1"},
	{"result null and error", `{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":""}}`, `error response|1||||{"code":1,"message":""}`},
	{"result without id", `{"jsonrpc":"2.0","result":{}}`, "-32600|"},
	{"error null", `{"jsonrpc":"2.0","id":1,"error":null}`, "-32600|1"},
	{"error string", `{"jsonrpc":"2.0","id":1,"error":"x"}`, "-32600|1"},
	{"error without code", `{"jsonrpc":"2.0","id":1,"error":{"message":""}}`, "-32600|1"},
	{"error with code 1.5", `{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":""}}`, "-32600|1"},
	{"error without message", `{"jsonrpc":"2.0","id":1,"error":{"code":1}}`, "-32600|1"},
	{"error with message null", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":null}}`, "-32600|1"},
	{"empty object", `{}`, "-32600|"},
	{"array", `[{"jsonrpc":"2.0","id":1,"method":"a"}]`, "-32600|"},
	{"empty array", `[]`, "-32600|"},
	{"string", `"a"`, "-32600|"},
	{"number", ` 1 `, "-32600|"},
	{"null", `null`, "-32600|"},

	{"case Method", `{"jsonrpc":"2.0","id":1,"method":"a","Method":"evil"}`, "-32600|1"},
	{"case METHOD alone", `{"jsonrpc":"2.0","id":1,"METHOD":"a"}`, "-32600|1"},
	{"case ID", `{"jsonrpc":"2.0","ID":1,"method":"a"}`, "-32600|"},
	{"iD in addition to id", `{"jsonrpc":"2.0","iD":2,"id":1,"method":"a"}`, "-32600|1"},
	{"case JsonRpc", `{"JsonRpc":"2.0","id":1,"method":"a"}`, "-32600|1"},
	{"case Params", `{"jsonrpc":"2.0","id":1,"method":"a","Params":{}}`, "-32600|1"},
	{"case Result", `{"jsonrpc":"2.0","id":1,"Result":{}}`, "-32600|1"},
	{"case ERROR", `{"jsonrpc":"2.0","id":1,"ERROR":{}}`, "-32600|1"},
	{"case long s", `{"jsonrpc":"2.0","id":1,"method":"a","paramſ":{}}`, "-32600|1"},
	{"case long s first", `{"jſonrpc":"2.0","id":1,"method":"a"}`, "-32600|1"},
	{"case by escape", `{"jsonrpc":"2.0","id":1,"method":"a","\u004dethod":"evil"}`, "-32600|1"},
	{"case by seven escapes", `{"jsonrpc":"2.0","id":1,"method":"a","\u004a\u017f\u006f\u006e\u0072\u0070\u0063":""}`, "-32600|1"},
	{"case is free inside params", `{"jsonrpc":"2.0","id":1,"method":"a","params":{"Method":1,"ID":2}}`, `request|1|a|{"Method":1,"ID":2}||`},
	{"like the names, but not them", `{"jsonrpc":"2.0","id":1,"method":"a","ids":1,"methods":2,"i":3,"param":4,"jsonrpcs":5,"ſid":6}`, "request|1|a|||"},

	{"twice id", `{"jsonrpc":"2.0","id":1,"id":1,"method":"a"}`, "-32700|"},
	{"twice method", `{"jsonrpc":"2.0","id":1,"method":"a","method":"a"}`, "-32700|"},
	{"twice by escape", `{"jsonrpc":"2.0","id":1,"method":"a","m\u0065thod":"b"}`, "-32700|"},
	{"twice unknown", `{"jsonrpc":"2.0","id":1,"method":"a","x":1,"x":1}`, "-32700|"},
	{"twice in params", `{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1,"x":1}}`, "-32700|"},
	{"twice in depth", `{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":[{"y":{"é":1,"\u00e9":1}}]}}`, "-32700|"},
	{"syntax wins over rules", `{"jsonrpc":"1.0","id":null,"method":1,}`, "-32700|"},
	{"empty", ``, "-32700|"},
	{"white space only", " \n", "-32700|"},
	{"byte order mark", "\ufeff" + `{"jsonrpc":"2.0","id":1,"method":"a"}`, "-32700|"},
	{"second value", `{"jsonrpc":"2.0","id":1,"method":"a"}{}`, "-32700|"},
	{"NUL after the value", `{"jsonrpc":"2.0","id":1,"method":"a"}` + "\x00", "-32700|"},
	{"bad UTF-8", `{"jsonrpc":"2.0","id":1,"method":"a` + "\xff" + `"}`, "-32700|"},
	{"half a surrogate pair", `{"jsonrpc":"2.0","id":1,"method":"a\ud800"}`, "-32700|"},
}

// describe returns the result of Decode in the form of envelopeTests.
func describe(m *Envelope, err error) string {
	var e *Error
	if errors.As(err, &e) {
		return strconv.FormatInt(int64(e.Code), 10) + "|" + string(m.ID)
	}
	return strings.Join([]string{m.Kind.String(), string(m.ID), string(m.Method), string(m.Params), string(m.Result), string(m.Error)}, "|")
}

func TestDecode(t *testing.T) {
	var m Envelope // reused: nothing of an earlier message may be left
	for _, tt := range envelopeTests {
		t.Run(tt.name, func(t *testing.T) {
			in := []byte(tt.in)
			err := m.Decode(in)
			if got := describe(&m, err); got != tt.want {
				t.Errorf("Decode(%s)\n got %s\nwant %s (%v)", tt.in, got, tt.want, err)
			}
			if string(in) != tt.in {
				t.Errorf("Decode changed its input to %s", in)
			}
			if err != nil && (m.Kind != 0 || m.Method != nil || m.Params != nil || m.Result != nil || m.Error != nil) {
				t.Errorf("Decode(%s) left %+v after a refusal", tt.in, m)
			}
		})
	}
}
