package httpparse

// finish judges the head as a whole. If it accepts the head, it fills in what the
// caller reads. Errors of grammar have been refused before. Of the refusals here,
// those about framing come first, because they say that the two ends disagree.
func (r *Request) finish(head []byte) error {
	if err := r.judge(head); err != nil {
		return err
	}
	r.head = head
	r.KeepAlive = r.Minor == 1 && !r.closes
	// RFC 9110, section 10.1.1: "A server that receives a 100-continue
	// expectation in an HTTP/1.0 request MUST ignore that expectation." "A
	// server MAY omit sending a 100 (Continue) response if it has already
	// received some or all of the content for the corresponding request, or if
	// the framing indicates that there is no content."
	r.ExpectContinue = r.continues && r.Minor == 1 && r.HasContent()
	r.Duplicate = r.repeated&singleKinds != 0
	r.DuplicateMCP = r.repeated&mcpKinds != 0
	r.MoreAccept = r.repeated&(1<<kindAccept) != 0

	r.Target = head[r.target:r.targetEnd:r.targetEnd]
	r.fillPath(head)
	if r.Form == FormAbsolute {
		// RFC 9112, section 3.2.2: "When an origin server receives a request
		// with an absolute-form of request-target, the origin server MUST
		// ignore the received Host header field (if any) and instead use the
		// host information of the request-target."
		r.Host = head[r.authority:r.authEnd:r.authEnd]
	} else {
		r.Host = r.value(head, kindHost)
	}

	r.Accept = r.value(head, kindAccept)
	r.AcceptEncoding = r.value(head, kindAcceptEncoding)
	r.Authorization = r.value(head, kindAuthorization)
	r.ContentEncoding = r.value(head, kindContentEncoding)
	r.ContentType = r.value(head, kindContentType)
	r.LastEventID = r.value(head, kindLastEventID)
	r.Origin = r.value(head, kindOrigin)
	r.UserAgent = r.value(head, kindUserAgent)
	r.MCPMethod = r.value(head, kindMCPMethod)
	r.MCPName = r.value(head, kindMCPName)
	r.MCPProtocolVersion = r.value(head, kindMCPProtocolVersion)
	r.MCPSessionID = r.value(head, kindMCPSessionID)
	return nil
}

// judge checks the rules about the head as a whole. It also sets Chunked.
func (r *Request) judge(head []byte) error {
	if host := r.first[kindHost]; host.end == 0 {
		// RFC 9112, section 3.2: "A client MUST send a Host header field in all
		// HTTP/1.1 request messages". HTTP/1.0 has no Host.
		if r.Minor == 1 {
			return errHostMissing
		}
	} else if r.Form == FormAbsolute {
		// RFC 9112, section 3.2: "If the authority component is present …, a
		// client MUST send a field value for Host that is identical to that
		// authority component, excluding any userinfo subcomponent".
		if !equalFold(head[r.authority:r.authEnd], head[host.start:host.end]) {
			return errHostMismatch
		}
	}
	if coding := r.first[kindTransferEncoding]; coding.end != 0 {
		// RFC 9112, section 6.1: "A server MAY reject a request that contains
		// both Content-Length and Transfer-Encoding or process such a request
		// in accordance with the Transfer-Encoding alone." "Regardless, the
		// server MUST close the connection after responding to such a request
		// to avoid the potential attacks."
		if r.first[kindContentLength].end != 0 {
			return errLengthAndCoding
		}
		// RFC 9112, section 6.1: "A server or client that receives an HTTP/1.0
		// message containing a Transfer-Encoding header field MUST treat the
		// message as if the framing is faulty".
		if r.Minor == 0 {
			return errCodingOnOld
		}
		if r.repeated&(1<<kindTransferEncoding) != 0 {
			return errCodingRepeated
		}
		if err := transferCoding(head[coding.start:coding.end]); err != nil {
			return err
		}
		r.Chunked = true
	}
	switch {
	case r.Method == MethodUnknown:
		// RFC 9110, section 9.1: "An origin server that receives a request
		// method that is unrecognized or not implemented SHOULD respond with
		// the 501 (Not Implemented) status code."
		return errMethodUnknown
	case r.Form == FormAsterisk && r.Method != MethodOptions:
		// RFC 9112, section 3.2.4: "The asterisk-form of request-target is only
		// used for a server-wide OPTIONS request".
		return errTargetAsterisk
	case r.Method == MethodConnect:
		// RFC 9110, section 9.3.6: "An origin server MAY accept a CONNECT
		// request …. However, most origin servers do not implement CONNECT."
		return errMethodConnect
	case r.otherExpect:
		// RFC 9110, section 10.1.1: "A server that receives an Expect field
		// value containing a member other than 100-continue MAY respond with a
		// 417 (Expectation Failed) status code to indicate that the unexpected
		// expectation cannot be met."
		return errExpectation
	}
	return nil
}

// fillPath sets Path and Query from the request-target.
func (r *Request) fillPath(head []byte) {
	start, end := int(r.target), int(r.targetEnd)
	switch r.Form {
	case FormAbsolute:
		start = int(r.authEnd)
	case FormAsterisk:
		r.Path, r.Query = nil, nil
		return
	}
	r.Query = nil
	if q := int(r.query); q != 0 {
		r.Query = head[q+1 : end : end]
		end = q
	}
	if start == end {
		// RFC 9110, section 4.2.3: "an empty path component is equivalent to an
		// absolute path of "/", so the normal form is to provide a path of "/"
		// instead." There is always a "/" before an authority to point at.
		start = int(r.authority) - 1
		end = start + 1
	}
	r.Path = head[start:end:end]
}

// value returns the first value of a kind, or nil if there is none.
func (r *Request) value(head []byte, k fieldKind) []byte {
	v := r.first[k]
	if v.end == 0 {
		return nil
	}
	return head[v.start:v.end:v.end]
}
