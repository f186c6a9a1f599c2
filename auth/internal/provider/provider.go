// Package provider sends requests to authorization servers. Their responses are hostile: they have
// a size limit and a time limit, and lead to no other host.
package provider

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxHeader is how many bytes the head of a response may have, if the client is ours.
const maxHeader = 32 << 10

// maxRedirects is how many redirects a request follows.
const maxRedirects = 3

// CheckURL parses the URL of an authorization server. It must be absolute, of https, or of http if
// the host is loopback, and have neither credentials nor a fragment.
func CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("not an absolute URL")
	case u.User != nil:
		return nil, errors.New("a URL with credentials")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, errors.New("a URL with a fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("neither https, nor http on loopback")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || strings.EqualFold(host, "localhost")
}

// NewClient returns a copy of base, or a client of its own if base is nil, whose requests end after
// timeout unless base has a timeout. It follows redirects only if they are to the same scheme and
// host, and none at all unless redirects is set.
func NewClient(base *http.Client, timeout time.Duration, redirects bool) *http.Client {
	client := &http.Client{}
	if base != nil {
		*client = *base
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxResponseHeaderBytes = maxHeader
		client.Transport = t
	}
	if client.Timeout <= 0 {
		client.Timeout = timeout
	}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		first := via[0].URL
		switch {
		case !redirects:
			return errors.New("a redirect")
		case len(via) > maxRedirects:
			return errors.New("too many redirects")
		case req.URL.Scheme != first.Scheme || req.URL.Host != first.Host:
			return errors.New("a redirect to another host")
		}
		return nil
	}
	return client
}

// Do sends req and returns the status and the content of the response, which may have limit bytes
// after decompression.
func Do(client *http.Client, req *http.Request, limit int64) (status int, content []byte, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	content, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return 0, nil, err
	}
	if int64(len(content)) > limit {
		return 0, nil, fmt.Errorf("a response of more than %d bytes", limit)
	}
	return resp.StatusCode, content, nil
}
