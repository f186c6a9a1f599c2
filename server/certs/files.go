package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// maxFile is the maximum size of a file.
const maxFile = 4 << 20

// racyTime is how recent a file's last change may be so that another change might not be seen in
// its times: those are as coarse as the file system's clock.
const racyTime = 2 * time.Second

// state is what is known of the files that were read last.
type state struct {
	infos []fs.FileInfo
	racy  bool              // they had just changed when they were read
	sum   [sha256.Size]byte // of their content
}

// files returns the names of all files.
func (s *Set) files() []string {
	names := make([]string, 0, 2*len(s.opts.Pairs)+1)
	for _, p := range s.opts.Pairs {
		names = append(names, p.Cert, p.Key)
	}
	if s.opts.ClientCA != "" {
		names = append(names, s.opts.ClientCA)
	}
	return names
}

// changed reports whether the files may have changed since they were read. The caller holds s.mu.
func (s *Set) changed() bool {
	if s.seen.racy {
		return true
	}
	for i, name := range s.files() {
		now, err := os.Stat(name)
		was := s.seen.infos[i]
		if err != nil || !os.SameFile(now, was) || now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) {
			return true
		}
	}
	return false
}

// load reads the files and, if they are valid, puts them to use. The caller holds s.mu.
func (s *Set) load() error {
	var next state
	hash := sha256.New()
	var contents [][]byte
	now := time.Now()
	for _, name := range s.files() {
		b, info, err := readFile(name)
		if err != nil {
			return fmt.Errorf("certs: %w", err)
		}
		next.infos = append(next.infos, info)
		next.racy = next.racy || now.Sub(info.ModTime()) < racyTime
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		hash.Write(b)
		contents = append(contents, b)
	}
	hash.Sum(next.sum[:0])
	if s.current.Load() != nil && next.sum == s.seen.sum {
		s.seen = next
		return nil
	}
	c, err := s.configOf(contents)
	if err != nil {
		return err
	}
	s.seen = next
	s.current.Store(c)
	for i, cert := range c.Certificates {
		if leaf := cert.Leaf; now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
			s.opts.Logger.Warn("certs: a certificate is not valid now", "file", s.opts.Pairs[i].Cert,
				"from", leaf.NotBefore, "until", leaf.NotAfter)
		}
	}
	return nil
}

// readFile returns the content of a file, and what Stat says of it. Both are of one file, even if
// another takes its name meanwhile.
func readFile(name string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > maxFile {
		return nil, nil, fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return b, info, nil
}

// configOf returns the config for the contents of all files.
func (s *Set) configOf(contents [][]byte) (*tls.Config, error) {
	c := s.base.Clone()
	for i, p := range s.opts.Pairs {
		cert, err := tls.X509KeyPair(contents[2*i], contents[2*i+1])
		if err != nil {
			return nil, fmt.Errorf("certs: %s with %s: %w", p.Cert, p.Key, err)
		}
		c.Certificates = append(c.Certificates, cert)
	}
	if s.opts.ClientCA != "" {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(contents[len(contents)-1]) {
			return nil, fmt.Errorf("certs: %s has no certificate", s.opts.ClientCA)
		}
	}
	return c, nil
}
