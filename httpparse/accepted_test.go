package httpparse

import (
	"strings"
	"testing"
)

const a11 = ` host="a"` // what describe says of "Host: a"

var acceptances = []acceptance{
	// Request-lines.
	{"plain", get + crlf, `GET / 1.1` + a11, nil},
	{"HEAD", "HEAD / " + lines, `HEAD / 1.1` + a11, nil},
	{"PUT", "PUT / " + lines, `PUT / 1.1` + a11, nil},
	{"DELETE", "DELETE / " + lines, `DELETE / 1.1` + a11, nil},
	{"OPTIONS", "OPTIONS / " + lines, `OPTIONS / 1.1` + a11, nil},
	{"TRACE", "TRACE / " + lines, `TRACE / 1.1` + a11, nil},
	{"PATCH", "PATCH / " + lines, `PATCH / 1.1` + a11, nil},
	{"POST without content", post + crlf, `POST / 1.1` + a11, nil},
	{"leading CRLF", "\r\n" + get + crlf, `GET / 1.1` + a11, nil},
	{"leading CR alone", "\r", "more", nil},
	{"leading CRLF alone", "\r\n", "more", nil},
	{"path", "GET /a/b;c=d/e,f HTTP/1.1\r\nHost: a\r\n\r\n", `GET /a/b;c=d/e,f 1.1` + a11, nil},
	{"double slash", "GET //a//b " + lines, `GET //a//b 1.1` + a11, nil},
	{"dots", "GET /../a/./b " + lines, `GET /../a/./b 1.1` + a11, nil},
	{"query", "GET /a?b=c&d " + lines, `GET /a?b=c&d 1.1 path="/a" query="b=c&d"` + a11, nil},
	{"empty query", "GET /? " + lines, `GET /? 1.1 path="/" query=""` + a11, nil},
	{"two question marks", "GET /?a?b " + lines, `GET /?a?b 1.1 path="/" query="a?b"` + a11, nil},
	{"slash in query", "GET /?/a:@ " + lines, `GET /?/a:@ 1.1 path="/" query="/a:@"` + a11, nil},
	{"percent-encoding", "GET /%41?%2f%2F " + lines, `GET /%41?%2f%2F 1.1 path="/%41" query="%2f%2F"` + a11, nil},
	{"percent-encoded NUL", "GET /%00 " + lines, `GET /%00 1.1` + a11, nil},
	{"every octet of pchar", "GET /azAZ09-._~!$&'()*+,;=:@ " + lines, `GET /azAZ09-._~!$&'()*+,;=:@ 1.1` + a11, nil},
	{"brackets in query", "GET /?a[]=b " + lines, `GET /?a[]=b 1.1 path="/" query="a[]=b"` + a11, nil},
	{"absolute-form", "GET http://a/b?c " + lines, `GET http://a/b?c 1.1 absolute-form path="/b" query="c"` + a11, nil},
	{"absolute-form, https", "GET https://a/ " + lines, `GET https://a/ 1.1 absolute-form path="/"` + a11, nil},
	{"absolute-form, upper case", "GET HTTP://A/ " + lines, `GET HTTP://A/ 1.1 absolute-form path="/" host="A"`, nil},
	{"absolute-form, no path", "GET http://a " + lines, `GET http://a 1.1 absolute-form path="/"` + a11, nil},
	{"absolute-form, no path but query", "GET http://a?b " + lines, `GET http://a?b 1.1 absolute-form path="/" query="b"` + a11, nil},
	{"absolute-form, port", "GET http://a:80/ HTTP/1.1\r\nHost: A:80\r\n\r\n", `GET http://a:80/ 1.1 absolute-form path="/" host="a:80"`, nil},
	{"absolute-form, IPv6", "GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", `GET http://[::1]:80/ 1.1 absolute-form path="/" host="[::1]:80"`, nil},
	{"absolute-form on HTTP/1.0", "GET http://a/ HTTP/1.0\r\n\r\n", `GET http://a/ 1.0 absolute-form path="/" host="a" close`, nil},
	{"absolute-form, at sign in path", "GET http://a/@b " + lines, `GET http://a/@b 1.1 absolute-form path="/@b"` + a11, nil},
	{"absolute-form after CRLF", "\r\nGET http://a?b " + lines, `GET http://a?b 1.1 absolute-form path="/" query="b"` + a11, nil},
	{"asterisk-form", "OPTIONS * " + lines, `OPTIONS * 1.1 asterisk-form` + a11, nil},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", `GET / 1.0 close`, nil},
	{"HTTP/1.0 with Host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", `GET / 1.0 host="a" close`, nil},
	{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", `GET / 1.0 close`, nil},
	{"request-line of 8192", "GET /" + strings.Repeat("a", 8192-14) + " " + lines, `GET /` + strings.Repeat("a", 8192-14) + ` 1.1` + a11, nil},
	{"request-line of 8000", "GET /" + strings.Repeat("a", 8000-14) + " " + lines, `GET /` + strings.Repeat("a", 8000-14) + ` 1.1` + a11, nil},
	{"request-line at its limit", "\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n", `GET /5 1.1` + a11, &Limits{RequestLine: 15}},
	{"cut in the method", "GE", "more", nil},
	{"cut after the method", "GET", "more", nil},
	{"cut before the target", "GET ", "more", nil},
	{"cut in the target", "GET /a", "more", nil},
	{"cut in a percent", "GET /a%", "more", nil},
	{"cut in a percent, one digit", "GET /a%4", "more", nil},
	{"cut before the version", "GET / ", "more", nil},
	{"cut in the version", "GET / HTTP/1", "more", nil},
	{"cut after the version", "GET / HTTP/1.1", "more", nil},
	{"cut in the first CRLF", "GET / HTTP/1.1\r", "more", nil},
	{"cut after the request-line", "GET / HTTP/1.1\r\n", "more", nil},

	// Field lines.
	{"cut in a name", "GET / HTTP/1.1\r\nHo", "more", nil},
	{"cut after a colon", "GET / HTTP/1.1\r\nHost:", "more", nil},
	{"cut in padding", "GET / HTTP/1.1\r\nHost:  ", "more", nil},
	{"cut in a value", "GET / HTTP/1.1\r\nHost: a", "more", nil},
	{"cut after a CR", "GET / HTTP/1.1\r\nHost: a\r", "more", nil},
	{"cut after a field", get, "more", nil},
	{"cut in the last CRLF", get + "\r", "more", nil},
	{"no SP after colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", `GET / 1.1` + a11, nil},
	{"white space around value", "GET / HTTP/1.1\r\nHost: \t a\t \r\n\r\n", `GET / 1.1` + a11, nil},
	{"name in capitals", "GET / HTTP/1.1\r\nHOST: a\r\n\r\n", `GET / 1.1` + a11, nil},
	{"name in small letters", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", `GET / 1.1` + a11, nil},
	{"odd tchars in name", get + "!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n", `GET / 1.1` + a11, nil},
	{"empty value", get + "X:\r\nY: \t\r\n\r\n", `GET / 1.1` + a11, nil},
	{"colon in value", get + "Origin: http://a:80\r\n\r\n", `GET / 1.1` + a11 + ` origin="http://a:80"`, nil},
	{"HTAB in value", get + "User-Agent: a\tb\t\tc\tdefghijklmnop\tq\r\n\r\n", `GET / 1.1` + a11 + ` user-agent="a\tb\t\tc\tdefghijklmnop\tq"`, nil},
	{"obs-text in value", get + "User-Agent: \x80\xff\xe4abcdefghijk\xa0\r\n\r\n", `GET / 1.1` + a11 + ` user-agent="\x80\xff\xe4abcdefghijk\xa0"`, nil},
	{"every VCHAR in value", get + "User-Agent: !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~ .\r\n\r\n", `GET / 1.1` + a11 + ` user-agent="!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_` + "`" + `az{|}~ ."`, nil},
	{"Transfer_Encoding", post + "Transfer_Encoding: chunked\r\nContent-Length: 2\r\n\r\nab", `POST / 1.1` + a11 + ` len=2 body="ab"`, nil},
	{"Content_Length", post + "Content_Length: 5\r\n\r\n", `POST / 1.1` + a11, nil},
	{"names of the same length and ends", get + "Hosx: b\r\nAccepx: b\r\nOrigix: b\r\nExpecx: b\r\nMcp-Namx: b\r\nContent-Typx: b\r\nContent-Lengtx: b\r\n" +
		"Transfer-Encodinx: b\r\nTransferxEncoding: b\r\nConnectiox: b\r\nXonnection: b\r\nXuthorization: b\r\nAuthorizatiox: b\r\nXast-Event-ID: b\r\nLast-Event-Ix: b\r\n" +
		"Mcp-Session-Ix: b\r\nXcp-Session-Id: b\r\nMcp-Xession-Id: b\r\nXser-Agent: b\r\nUser-Agenx: b\r\nXcp-Method: b\r\nMcp-Methox: b\r\nAccept-Encodinx: b\r\nXccept-Encoding: b\r\n" +
		"Xcp-Protocol-Version: b\r\nMcp-Protocol-Versiox: b\r\nMcp-ProtocolxVersion: b\r\nMcp-Paramx: b\r\nMcp-ParaX-a: b\r\nXcp-Param-a: b\r\nXontent-Type: b\r\nXontent-Length: b\r\nXransfer-Encoding: b\r\n" +
		"Origi: b\r\nAcceptt: b\r\nHos: b\r\nHosts: b\r\n\r\n", `GET / 1.1` + a11, nil},
	{"every field known", get + "Accept: 1\r\nAccept-Encoding: 2\r\nAuthorization: 3\r\nContent-Type: 4\r\nLast-Event-ID: 5\r\nOrigin: 6\r\nUser-Agent: 7\r\n" +
		"Mcp-Method: 8\r\nMcp-Name: 9\r\nMCP-Protocol-Version: 10\r\nMcp-Session-Id: 11\r\n\r\n",
		`GET / 1.1` + a11 + ` accept="1" accept-encoding="2" authorization="3" content-type="4" last-event-id="5" origin="6" user-agent="7"` +
			` mcp-method="8" mcp-name="9" mcp-protocol-version="10" mcp-session-id="11"`, nil},
	{"every field known, empty, in capitals", get + "ACCEPT:\r\nACCEPT-ENCODING:\r\nAUTHORIZATION:\r\nCONTENT-TYPE:\r\nLAST-EVENT-ID:\r\nORIGIN:\r\nUSER-AGENT:\r\n" +
		"MCP-METHOD:\r\nMCP-NAME:\r\nMCP-PROTOCOL-VERSION:\r\nMCP-SESSION-ID:\r\n\r\n",
		`GET / 1.1` + a11 + ` accept="" accept-encoding="" authorization="" content-type="" last-event-id="" origin="" user-agent=""` +
			` mcp-method="" mcp-name="" mcp-protocol-version="" mcp-session-id=""`, nil},
	{"Origin twice", get + "Origin: b\r\nOrigin: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate origin="b"`, nil},
	{"Content-Type twice", get + "Content-Type: b\r\nContent-Type: b\r\n\r\n", `GET / 1.1` + a11 + ` duplicate content-type="b"`, nil},
	{"Authorization twice", get + "Authorization: b\r\nAuthorization: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate authorization="b"`, nil},
	{"Last-Event-ID twice", get + "Last-Event-ID:\r\nLast-Event-ID: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate last-event-id=""`, nil},
	{"MCP-Protocol-Version twice", get + "MCP-Protocol-Version: b\r\nMCP-Protocol-Version: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate duplicate-mcp mcp-protocol-version="b"`, nil},
	{"Mcp-Method twice", get + "Mcp-Method: b\r\nMcp-Method: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate duplicate-mcp mcp-method="b"`, nil},
	{"Mcp-Name twice", get + "Mcp-Name: b\r\nMcp-Name: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate duplicate-mcp mcp-name="b"`, nil},
	{"Mcp-Session-Id twice", get + "Mcp-Session-Id: b\r\nMcp-Session-Id: c\r\n\r\n", `GET / 1.1` + a11 + ` duplicate duplicate-mcp mcp-session-id="b"`, nil},
	{"Accept twice", get + "Accept: b\r\nAccept: c\r\nAccept: d\r\n\r\n", `GET / 1.1` + a11 + ` more-accept accept="b"`, nil},
	{"Content-Encoding", get + "content-ENCODING: gzip\r\nX-Long-Enough-For-A-Fast-Line: 0123456789abcdef\r\n\r\n", `GET / 1.1` + a11 + ` content-encoding="gzip"`, nil},
	{"names that begin or end as Content-Encoding", get + "Content-Encodings: a\r\nContent-Encodin: b\r\nContent-Encoding-: c\r\nX-Content-Encoding: d\r\n\r\n", `GET / 1.1` + a11, nil},
	{"User-Agent and Accept-Encoding twice", get + "User-Agent: b\r\nAccept-Encoding: c\r\nUser-Agent: d\r\nAccept-Encoding: e\r\n\r\n", `GET / 1.1` + a11 + ` accept-encoding="c" user-agent="b"`, nil},
	{"Mcp-Param", get + "Mcp-Param-City: Oslo\r\nMcp-Param-City: Bergen\r\n\r\n", `GET / 1.1` + a11 + ` param`, nil},
	{"Mcp-Param of each known length", get + "MCP-PARAM-AB: b\r\nmcp-param-abcdefghij: b\r\n\r\n", `GET / 1.1` + a11 + ` param`, nil},
	{"100 fields", get + strings.Repeat("A:b\r\n", 99) + crlf, `GET / 1.1` + a11, nil},
	{"128 fields", get + strings.Repeat("A:b\r\n", 127) + crlf, `GET / 1.1` + a11, &Limits{Fields: 128}},
	{"head of 16 KiB", get + "A: " + strings.Repeat("b", 16<<10-32) + "\r\n\r\n", `GET / 1.1` + a11, nil},
	{"head of 64 KiB less one", get + "A: " + strings.Repeat("b", MaxHead-32) + "\r\n\r\n", `GET / 1.1` + a11, &Limits{Head: MaxHead}},
	{"head at its limit", get + crlf, `GET / 1.1` + a11, &Limits{Head: 27}},

	// Host.
	{"name and port", noHost + "a.example:8080\r\n\r\n", `GET / 1.1 host="a.example:8080"`, nil},
	{"empty port", noHost + "a:\r\n\r\n", `GET / 1.1 host="a:"`, nil},
	{"port 65535", noHost + "a:65535\r\n\r\n", `GET / 1.1 host="a:65535"`, nil},
	{"IPv4", noHost + "127.0.0.1\r\n\r\n", `GET / 1.1 host="127.0.0.1"`, nil},
	{"IPv6", noHost + "[2001:db8::1]:80\r\n\r\n", `GET / 1.1 host="[2001:db8::1]:80"`, nil},
	{"IPv6, no port", noHost + "[::]\r\n\r\n", `GET / 1.1 host="[::]"`, nil},
	{"percent in Host", noHost + "a%2fb%C3%A9\r\n\r\n", `GET / 1.1 host="a%2fb%C3%A9"`, nil},
	{"sub-delims in Host", noHost + "a!$&'()*+;=-._~\r\n\r\n", `GET / 1.1 host="a!$&'()*+;=-._~"`, nil},

	// Connection.
	{"close", get + "Connection: close\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"Close", get + "Connection: Close\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"keep-alive", get + "Connection: keep-alive\r\n\r\n", `GET / 1.1` + a11, nil},
	{"close in a list", get + "Connection: te ,\tclose\t, x\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"close last, after empty elements", get + "Connection: ,, close\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"close on a second line", get + "Connection: x\r\nConnection: close\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"close on a first line", get + "Connection: close\r\nConnection: keep-alive\r\n\r\n", `GET / 1.1` + a11 + ` close`, nil},
	{"close within a word", get + "Connection: closed, xclose, close;x\r\n\r\n", `GET / 1.1` + a11, nil},
	{"empty Connection", get + "Connection:\r\n\r\n", `GET / 1.1` + a11, nil},

	// Expect.
	{"100-continue", post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", `POST / 1.1` + a11 + ` len=2 continue body="ab"`, nil},
	{"100-Continue, chunked", post + "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked continue body=""`, nil},
	{"100-continue twice", post + "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab", `POST / 1.1` + a11 + ` len=2 continue body="ab"`, nil},
	{"100-continue on HTTP/1.0", old + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", `POST / 1.0 len=2 close body="ab"`, nil},
	{"100-continue without content", post + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", `POST / 1.1` + a11 + ` len=0`, nil},

	// Content-Length.
	{"length", length + "5\r\n\r\nhello", `POST / 1.1` + a11 + ` len=5 body="hello"`, nil},
	{"length 005", length + "005\r\n\r\nhello", `POST / 1.1` + a11 + ` len=5 body="hello"`, nil},
	{"length 0", length + "0\r\n\r\n", `POST / 1.1` + a11 + ` len=0`, nil},
	{"length of 18 digits", length + "000000000000000005\r\n\r\nhello", `POST / 1.1` + a11 + ` len=5 body="hello"`, nil},
	{"length 08 is not octal", length + "08\r\n\r\n01234567", `POST / 1.1` + a11 + ` len=8 body="01234567"`, nil},
	{"length and white space", length + " \t5\t \r\n\r\nhello", `POST / 1.1` + a11 + ` len=5 body="hello"`, nil},
	{"length on GET", get + "Content-Length: 5\r\n\r\nhello", `GET / 1.1` + a11 + ` len=5 body="hello"`, nil},
	{"length on DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n", `DELETE / 1.1` + a11 + ` len=2 body="\r\n"`, nil},
	{"length on OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\x00", `OPTIONS * 1.1 asterisk-form` + a11 + ` len=1 body="\x00"`, nil},
	{"length on HTTP/1.0", old + "Content-Length: 2\r\n\r\nab", `POST / 1.0 len=2 close body="ab"`, nil},
	{"length at its limit", length + "5\r\n\r\nhello", `POST / 1.1` + a11 + ` len=5 body="hello"`, &Limits{Content: 5}},
	{"length at 4 MiB, cut", length + "4194304\r\n\r\nhello", `POST / 1.1` + a11 + ` len=4194304more`, nil},
	{"content cut", length + "5\r\n\r\nhell", `POST / 1.1` + a11 + ` len=5more`, nil},
	{"content not begun", length + "5\r\n\r\n", `POST / 1.1` + a11 + ` len=5more`, nil},

	// Chunked.
	{"chunked", chunked + "5\r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"Chunked", coding + "Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"CHUNKED and white space", coding + "\t CHUNKED \t\r\n\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body=""`, nil},
	{"chunked on GET", get + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", `GET / 1.1` + a11 + ` chunked body="x"`, nil},
	{"several chunks", chunked + "1\r\na\r\n02\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="abcdef"`, nil},
	{"hexadecimal size", chunked + "a\r\n0123456789\r\nB\r\n0123456789A\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="01234567890123456789A0123456789abcdef"`, nil},
	{"16 digits of size", chunked + "0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"CRLF in data", chunked + "4\r\n\r\n\r\n\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="\r\n\r\n"`, nil},
	{"chunks at the limit", chunked + "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, &Limits{Content: 5}},
	{"chunk-ext", chunked + "5;a\r\nhello\r\n0;b=c\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"chunk-exts", chunked + "5;a=b;c;d=\"e\";f\r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"chunk-ext with BWS", chunked + "5; \ta \t= \tb \t; \tc = \"\" \t\r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"chunk-ext, quoted", chunked + "5;a=\" \t;=,\\\"\\\\\x80~!#[]\"\r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"chunk-ext, quoted then another", chunked + "5;a=\"b\";c \r\nhello\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"256 octets of chunk-ext", chunked + "1;" + strings.Repeat("a", 255) + "\r\nx\r\n1;" + strings.Repeat("a", 255) + "\r\ny\r\n0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="xy"`, nil},
	{"4096 octets of chunk-ext", chunked + strings.Repeat("1;"+strings.Repeat("a", 127)+"\r\nx\r\n", 32) + "0\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="` + strings.Repeat("x", 32) + `"`, nil},
	{"trailer", trailed + "A: b\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"trailers", trailed + "A: b\r\nContent-Typ: c\r\nHosts: d\r\nHos: d\r\nX-Transfer-Encoding: e\r\nTransfer-Encodings: f\r\nF: \ta\tb\xff\x80abcdefgh \r\nG:\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"trailer section of 8192", trailed + "a: " + strings.Repeat("b", 8192-5) + "\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, nil},
	{"trailer section at its limit", trailed + "a: b\r\nc:\r\n\r\n", `POST / 1.1` + a11 + ` chunked body="hello"`, &Limits{Trailer: 10}},
	{"chunk-size not begun", chunked, `POST / 1.1` + a11 + ` chunkedmore`, nil},
	{"chunk-size cut", chunked + "5", `POST / 1.1` + a11 + ` chunkedmore`, nil},
	{"chunk-data cut", chunked + "5\r\nhel", `POST / 1.1` + a11 + ` chunkedmore`, nil},
	{"trailer section cut", trailed + "A", `POST / 1.1` + a11 + ` chunkedmore`, nil},
	{"last CRLF cut", trailed + "\r", `POST / 1.1` + a11 + ` chunkedmore`, nil},

	// Several requests.
	{"two requests", get + crlf + get + crlf, `GET / 1.1` + a11 + "\n" + `GET / 1.1` + a11, nil},
	{"content, CRLF, request", length + "2\r\n\r\nab\r\n" + get + crlf, `POST / 1.1` + a11 + ` len=2 body="ab"` + "\n" + `GET / 1.1` + a11, nil},
	{"a smaller request after a larger", mcpHead + strings.Repeat("x", 190) + "GET / HTTP/1.0\r\n\r\n",
		`POST /mcp 1.1 host="mcp.example.com:8080" len=190 accept="application/json, text/event-stream" accept-encoding="gzip, deflate, br"` +
			` authorization="Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl" content-type="application/json"` +
			` user-agent="typescript-mcp-client/2.4.0 node/24.1.0 linux" mcp-method="tools/call" mcp-name="get_weather_forecast" mcp-protocol-version="2026-07-28"` +
			` body="` + strings.Repeat("x", 190) + "\"\nGET / 1.0 close", nil},
	{"everything forgotten", get + "Origin: b\r\nOrigin: c\r\nMcp-Name: d\r\nMcp-Name: d\r\nAccept: e\r\nAccept: f\r\nMcp-Param-A: b\r\nConnection: close\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get + crlf,
		`GET / 1.1` + a11 + ` chunked close continue duplicate duplicate-mcp more-accept param accept="e" origin="b" mcp-name="d" body=""` + "\n" + `GET / 1.1` + a11, nil},
	{"smuggled in a chunk", chunked + "1c\r\nGET /x HTTP/1.1\r\nHost: b\r\n\r\n\r\n0\r\n\r\n" + get + crlf,
		`POST / 1.1` + a11 + ` chunked body="GET /x HTTP/1.1\r\nHost: b\r\n\r\n"` + "\n" + `GET / 1.1` + a11, nil},
}

func TestAccepted(t *testing.T) {
	for _, c := range acceptances {
		t.Run(c.name, c.run)
	}
}

// Any accepted input followed by any input of the tables has the two results in
// order: nothing of a request reaches the next.
func TestPipelined(t *testing.T) {
	var second []string
	for _, c := range acceptances {
		if c.lim == nil && len(c.in) < 1000 {
			second = append(second, c.in)
		}
	}
	for _, table := range [][]refusal{requestLineRefusals, fieldRefusals, bodyRefusals} {
		for _, c := range table {
			if c.lim == nil && len(c.in) < 1000 {
				second = append(second, strings.Replace(c.in, mark, "", 1))
			}
		}
	}
	for i, c := range acceptances {
		if strings.HasSuffix(c.want, "more") || c.lim != nil || len(c.in) > 1000 {
			continue
		}
		for j, s := range second {
			if (i+j)%29 != 0 { // one in 29 pairs still has every input many times on either side
				continue
			}
			one := converse([]byte(c.in), nil, whole)
			two := converse([]byte(s), nil, whole)
			want := result{text: one.text + two.text, err: two.err, at: two.at + len(c.in)}
			in := []byte(c.in + s)
			for _, next := range []func(int) int{whole, octetwise, cutAt(len(c.in)), cutAt(len(c.in)+1, len(c.in)+7)} {
				if got := converse(in, nil, next); got.String() != want.String() {
					t.Fatalf("%q\n got %s\nwant %s", in, got, want)
				}
			}
		}
	}
}

func TestTableSize(t *testing.T) {
	n := len(acceptances) + len(requestLineRefusals) + len(fieldRefusals) + len(bodyRefusals)
	if n < 260 {
		t.Errorf("the tables have %d inputs, want 260 or more", n)
	}
	t.Logf("%d inputs", n)
}
