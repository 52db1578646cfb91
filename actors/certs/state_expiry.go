package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

const (
	// soonest is how long before its end people are told of a certificate, and
	// shortLived the part of its whole life, where that is less.
	soonest    = 30 * 24 * time.Hour
	shortLived = 3
	// tellEvery is how often they are told again.
	tellEvery = 24 * time.Hour
)

// dated is a certificate in a file, and how long it is valid.
type dated struct {
	file        string
	own         bool // the agent's; else an authority's
	names       []string
	from, until time.Time
	cert        *x509.Certificate
}

func dateOf(c *x509.Certificate, file string, own bool) dated {
	return dated{file: file, own: own, names: c.DNSNames, from: c.NotBefore, until: c.NotAfter, cert: c}
}

func (d *dated) what() string {
	if d.own {
		return "the certificate of this agent"
	}
	return fmt.Sprintf("the certificate of the authority %q", d.cert.Subject.CommonName)
}

// check says why the certificate cannot be used now.
func (d *dated) check(now time.Time) error {
	switch {
	case now.After(d.until):
		return fmt.Errorf("%s in %s expired on %s: put a new one there", d.what(), d.file, d.until.UTC().Format(time.DateTime+" MST"))
	case now.Before(d.from):
		return fmt.Errorf("%s in %s is not valid before %s, and the clock of this machine says %s", d.what(), d.file,
			d.from.UTC().Format(time.DateTime+" MST"), now.UTC().Format(time.DateTime+" MST"))
	}
	return nil
}

// soon says whether the certificate will end before long.
func (d *dated) soon(now time.Time) bool {
	return d.until.Sub(now) < min(soonest, d.until.Sub(d.from)/shortLived)
}

// distinct leaves out what is there twice: sections mostly share their files.
func distinct(all []dated) (some []dated) {
	for _, d := range all {
		if !slices.ContainsFunc(some, func(s dated) bool { return s.file == d.file && s.own == d.own && s.cert.Equal(d.cert) }) {
			some = append(some, d)
		}
	}
	return some
}

// anew returns the files that hold other certificates than before.
func anew(before, after []dated) (files []string) {
	for _, d := range after {
		if !slices.Contains(files, d.file) && !slices.Equal(content(before, d.file), content(after, d.file)) {
			files = append(files, d.file)
		}
	}
	return files
}

// content returns the certificates of a file, in any order but the same.
func content(all []dated, file string) (certs []string) {
	for _, d := range all {
		if d.file == file {
			certs = append(certs, string(d.cert.Raw))
		}
	}
	slices.Sort(certs)
	return certs
}

// notice is something to tell people about a certificate.
type notice struct {
	dated
	over bool          // it has expired
	left time.Duration // until it does
}

// told is when people were last told of a certificate, by its content.
type told map[string]time.Time

// due returns what to tell people now, and takes note of it.
func (t told) due(all []dated, now time.Time) (notices []notice) {
	kept := make(map[string]bool, len(all))
	for _, d := range all {
		id := d.file + string(d.cert.Raw)
		n := notice{dated: d, over: now.After(d.until), left: d.until.Sub(now).Truncate(time.Second)}
		if n.over {
			id += " over" // told at once, although the end was told of before
		}
		kept[id] = true
		if last, ok := t[id]; !d.soon(now) || ok && now.Sub(last) < tellEvery {
			continue
		}
		t[id] = now
		notices = append(notices, n)
	}
	for id := range t {
		if !kept[id] {
			delete(t, id)
		}
	}
	return notices
}
