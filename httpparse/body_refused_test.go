package httpparse

import (
	"strings"
	"testing"
)

const (
	chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
	trailed = chunked + "5\r\nhello\r\n0\r\n" // a trailer section to be continued
)

var bodyRefusals = []refusal{
	// The chunk-size.
	{"plus", chunked + "¦+5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"minus", chunked + "¦-1\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"0x", chunked + "0¦x5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"SP before", chunked + "¦ 5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"HTAB before", chunked + "¦\t5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"SP after", chunked + "5 ¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"HTAB after", chunked + "5\t¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"SP in it", chunked + "5 ¦0\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"underscore", chunked + "5¦_0\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"dot", chunked + "5¦.0\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"comma", chunked + "5¦,5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"empty size", chunked + "¦\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"extension without size", chunked + "¦;a\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"letter g", chunked + "¦g\r\n", errChunkSize, nil},
	{"letter after", chunked + "5¦h\r\nhello\r\n", errChunkSize, nil},
	{"quote", chunked + "¦\"5\"\r\nhello\r\n", errChunkSize, nil},
	{"NUL", chunked + "5¦\x00\r\nhello\r\n", errChunkSize, nil},
	{"VT", chunked + "5¦\x0b\r\nhello\r\n", errChunkSize, nil},
	{"colon", chunked + "¦:\r\nhello\r\n", errChunkSize, nil},
	{"at sign", chunked + "¦@\r\nhello\r\n", errChunkSize, nil},
	{"obs-text", chunked + "¦\xb5\r\nhello\r\n", errChunkSize, nil},
	{"17 digits", chunked + "1000000000000000¦0\r\n", errChunkSize, nil},
	{"17 zeros and 5", chunked + "0000000000000000¦05\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"2^64+5", chunked + "1000000000000000¦5\r\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"2^64-1", chunked + "ffffffffffffffff¦\r\nhello\r\n", errChunkSize, nil},
	{"2^63", chunked + "8000000000000000¦\r\nhello\r\n", errChunkSize, nil},
	{"2^63-1", chunked + "7fffffffffffffff¦\r\nhello\r\n", errContentTooLarge, nil},
	{"2^32+5", chunked + "100000005¦\r\nhello\r\n0\r\n\r\n", errContentTooLarge, nil},
	{"over 4 MiB", chunked + "400001¦\r\n", errContentTooLarge, nil},
	{"over its limit", chunked + "6¦\r\nhello!\r\n", errContentTooLarge, &Limits{Content: 5}},
	{"over its limit in sum", chunked + "5\r\nhello\r\n1¦\r\n!\r\n0\r\n\r\n", errContentTooLarge, &Limits{Content: 5}},
	{"overflow in sum", chunked + "1\r\nx\r\n7fffffffffffffff¦\r\n", errContentTooLarge, &Limits{Content: 1<<63 - 1}},
	{"size of the second chunk", chunked + "5\r\nhello\r\n¦x\r\n", errChunkSize, nil},

	// The line ends.
	{"LF after size", chunked + "5¦\nhello\r\n0\r\n\r\n", errChunkSize, nil},
	{"CR after size", chunked + "5\r¦hello\r\n0\r\n\r\n", errLineEnd, nil},
	{"CR CR LF after size", chunked + "5\r¦\r\nhello\r\n0\r\n\r\n", errLineEnd, nil},
	{"LF after data", chunked + "5\r\nhello¦\n0\r\n\r\n", errChunkEnd, nil},
	{"CR after data", chunked + "5\r\nhello\r¦0\r\n\r\n", errLineEnd, nil},
	{"nothing after data", chunked + "5\r\nhello¦0\r\n\r\n", errChunkEnd, nil},
	{"two octets for CRLF", chunked + "5\r\nhello¦XX0\r\n\r\n", errChunkEnd, nil},
	{"LF after the last chunk", chunked + "5\r\nhello\r\n0¦\n\r\n", errChunkSize, nil},
	{"CR after the last chunk", chunked + "5\r\nhello\r\n0\r¦\r", errLineEnd, nil},
	{"LF ends the trailer section", trailed + "¦\n", errFieldName, nil},
	{"CR ends the trailer section", trailed + "\r¦X", errLineEnd, nil},
	{"CR CR LF ends the trailer section", trailed + "\r¦\r\n", errLineEnd, nil},
	{"data longer than size", chunked + "5\r\nhello¦!\r\n0\r\n\r\n", errChunkEnd, nil},
	{"data shorter than size", chunked + "6\r\nhello\r¦\n0\r\n\r\n", errChunkEnd, nil},
	{"next request for a trailer", trailed + "GET¦ / HTTP/1.1\r\nHost: a\r\n\r\n", errFieldName, nil},

	// The chunk-ext.
	{"semicolon alone", chunked + "5;¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"semicolon and SP", chunked + "5; ¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"two semicolons", chunked + "5;¦;a\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"no name", chunked + "5;¦=a\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"no value", chunked + "5;a=¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"no value, semicolon", chunked + "5;a=¦;b\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"semicolon at the end", chunked + "5;a;¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"two values", chunked + "5;a=b¦=c\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"SP in name", chunked + "5;a ¦b\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"SP in value", chunked + "5;a=b ¦c\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"bad octet in name", chunked + "5;a¦@b\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"bad octet in value", chunked + "5;a=b¦@c\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"obs-text in name", chunked + "5;¦\xe9\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"quote in name", chunked + "5;a¦\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"quote in value", chunked + "5;a=b¦\"c\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"text after quoted-string", chunked + "5;a=\"b\"¦c\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"quoted-string without end", chunked + "5;a=\"b¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"escape at the end", chunked + "5;a=\"b\\¦\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"LF in name", chunked + "5;a¦\nb\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"LF in value", chunked + "5;a=b¦\nc\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"LF after semicolon", chunked + "5;¦\n\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"LF in quoted-string", chunked + "5;a=\"¦\n\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"escaped LF", chunked + "5;a=\"\\¦\n\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"LF ends it", chunked + "5;a¦\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"CR in name", chunked + "5;a\r¦b\r\nhello\r\n0\r\n\r\n", errLineEnd, nil},
	{"CR in quoted-string", chunked + "5;a=\"¦\rb\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"CR CR LF ends it", chunked + "5;a\r¦\r\nhello\r\n0\r\n\r\n", errLineEnd, nil},
	{"NUL in name", chunked + "5;a¦\x00\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"control in value", chunked + "5;a=¦\x01\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"control in quoted-string", chunked + "5;a=\"¦\x0b\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"DEL in quoted-string", chunked + "5;a=\"¦\x7f\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"escaped control", chunked + "5;a=\"\\¦\x01\"\r\nhello\r\n0\r\n\r\n", errChunkExt, nil},
	{"in the last chunk", chunked + "0;¦\n\r\n\r\n", errChunkExt, nil},
	{"257 octets in a line", chunked + "5;" + strings.Repeat("a", 255) + "¦a\r\nhello\r\n0\r\n\r\n", errChunkExtTooLong, nil},
	{"257 octets of BWS", chunked + "5" + strings.Repeat(" ", 256) + "¦ ;a\r\nhello\r\n0\r\n\r\n", errChunkExtTooLong, nil},
	{"4097 octets in a body", chunked + strings.Repeat("1;"+strings.Repeat("a", 127)+"\r\nx\r\n", 32) + "1¦;a\r\nx\r\n0\r\n\r\n", errChunkExtTooLong, nil},
	{"in a line, own limit", chunked + "5;ab¦c\r\nhello\r\n", errChunkExtTooLong, &Limits{ChunkExtLine: 3}},
	{"in a body, own limit", chunked + "1;ab\r\nx\r\n1;¦a\r\nx\r\n", errChunkExtTooLong, &Limits{ChunkExt: 4}},

	// The trailer section.
	{"Content-Length", trailed + "Content-Length¦: 5\r\n\r\n", errTrailerForbidden, nil},
	{"content-length after another", trailed + "A: b\r\ncontent-length¦: 5\r\n\r\n", errTrailerForbidden, nil},
	{"Transfer-Encoding", trailed + "Transfer-Encoding¦: chunked\r\n\r\n", errTrailerForbidden, nil},
	{"TRANSFER-ENCODING", trailed + "TRANSFER-ENCODING¦: chunked\r\n\r\n", errTrailerForbidden, nil},
	{"Host", trailed + "Host¦: b\r\n\r\n", errTrailerForbidden, nil},
	{"trailer, SP before colon", trailed + "A¦ : b\r\n\r\n", errFieldName, nil},
	{"trailer, SP before Content-Length's colon", trailed + "Content-Length¦ : 5\r\n\r\n", errFieldName, nil},
	{"trailer, SP first", trailed + "¦ A: b\r\n\r\n", errFieldStart, nil},
	{"trailer, fold", trailed + "A: b\r\n¦ c\r\n\r\n", errFieldStart, nil},
	{"trailer, empty name", trailed + "¦: b\r\n\r\n", errFieldNameEmpty, nil},
	{"trailer, no colon", trailed + "abc¦\r\n\r\n", errFieldName, nil},
	{"trailer, bad octet in name", trailed + "a¦(b: c\r\n\r\n", errFieldName, nil},
	{"trailer, NUL in name", trailed + "a¦\x00b: c\r\n\r\n", errFieldName, nil},
	{"trailer, LF ends it", trailed + "a: b¦\n\r\n", errFieldValue, nil},
	{"trailer, bare CR", trailed + "a: b\r¦c\r\n\r\n", errLineEnd, nil},
	{"trailer, NUL in value", trailed + "a: b¦\x00\r\n\r\n", errFieldValue, nil},
	{"trailer, control in a long value", trailed + "a: bcdefghijkl¦\x1fmnopqrst\r\n\r\n", errFieldValue, nil},
	{"trailer, DEL in value", trailed + "a: b\tc¦\x7f\r\n\r\n", errFieldValue, nil},
	{"trailer section of 8193, in a value", trailed + "a: " + strings.Repeat("b", 8192-3) + "¦\r\n\r\n", errTrailerTooLarge, nil},
	{"trailer section of 8193, at LF", trailed + "a: " + strings.Repeat("b", 8192-4) + "\r¦\n\r\n", errTrailerTooLarge, nil},
	{"trailer section of 8193, in a name", trailed + strings.Repeat("b", 8192) + "¦b: c\r\n\r\n", errTrailerTooLarge, nil},
	{"trailer section of 8193, at colon", trailed + strings.Repeat("b", 8192) + "¦: c\r\n\r\n", errTrailerTooLarge, nil},
	{"many trailers", trailed + strings.Repeat("a: bc\r\n", 1170) + "a:¦ b\r\n\r\n", errTrailerTooLarge, nil},
	{"trailer section, own limit", trailed + "a: bcdef¦ghijklmnop\r\n\r\n", errTrailerTooLarge, &Limits{Trailer: 8}},
	{"trailer section, bad octet at its limit", trailed + "a: bcdef¦\x00hijklmnop\r\n\r\n", errTrailerTooLarge, &Limits{Trailer: 8}},
	{"trailer section, bad octet before its limit", trailed + "a: bcde¦\x00ghijklmnop\r\n\r\n", errFieldValue, &Limits{Trailer: 8}},
}

func TestBodyRefused(t *testing.T) {
	for _, c := range bodyRefusals {
		t.Run(c.name, c.run)
	}
}
