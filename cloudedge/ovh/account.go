package ovh

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Account says which OVH account to provision and how to get there. Nothing is read of the environment, nor of
// ovh.conf. It is used either as an OAuth2 client (ClientID, ClientSecret) or with the keys of an application
// (ApplicationKey, ApplicationSecret, ConsumerKey), which are what an account has that has no OAuth2 client yet.
type Account struct {
	// Address is that of the API without a path; empty means https://eu.api.ovh.com.
	Address string

	// Login is where an OAuth2 client gets its tokens; empty means https://www.ovh.com/auth/oauth2/token, or, with an
	// Address, /auth/oauth2/token there.
	Login string

	ClientID     string
	ClientSecret lab.Secret

	ApplicationKey    string
	ApplicationSecret lab.Secret
	ConsumerKey       lab.Secret

	// CA are the certificates, in PEM, against which that of the API is verified; empty means the system's.
	CA string

	// Boundary makes the connections. Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Log gets each request and each wait, without any secret; nil discards.
	Log *slog.Logger

	// Parallel is how many requests are under way at once; 0 means 4. A zone always has one writer.
	Parallel int

	// PerSecond is how many requests are sent a second in the long run; 0 means 20. OVH says no limit.
	PerSecond float64

	// Poll is how long to wait between two looks at what takes its time; 0 means 5 seconds. Wait is how long to wait
	// for it in all; 0 means 10 minutes.
	Poll, Wait time.Duration

	Counters *Counters // counts what plans and applies cost; nil counts nothing
}

// Counters count requests, and those of them that write. They may be shared by several accounts.
type Counters = httpx.Counters

const (
	vendorAddress    = "https://eu.api.ovh.com"
	vendorLogin      = "https://www.ovh.com/auth/oauth2/token"
	loginPath        = "/auth/oauth2/token"
	defaultParallel  = 4
	defaultPerSecond = 20
)

func (a *Account) address() string {
	if a.Address == "" {
		return vendorAddress
	}
	return strings.TrimRight(a.Address, "/")
}

func (a *Account) login() string {
	switch {
	case a.Login != "":
		return a.Login
	case a.Address == "":
		return vendorLogin
	}
	return a.address() + loginPath
}

func (a *Account) parallel() int {
	if a.Parallel <= 0 {
		return defaultParallel
	}
	return a.Parallel
}

func (a *Account) poll() time.Duration {
	if a.Poll <= 0 {
		return 5 * time.Second
	}
	return a.Poll
}

func (a *Account) wait() time.Duration {
	if a.Wait <= 0 {
		return 10 * time.Minute
	}
	return a.Wait
}

func (a *Account) log() *slog.Logger {
	if a.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.Log
}

// target names the account's API in errors.
func (a *Account) target() string {
	if u, err := url.Parse(a.address()); err == nil && u.Host != "" {
		return "ovh " + u.Host
	}
	return "ovh"
}

// Validate reports everything that is wrong with the account's fields.
func (a *Account) Validate() (ps lab.Problems) {
	for _, at := range []struct{ path, address string }{{"address", a.address()}, {"login", a.login()}} {
		u, err := url.Parse(at.address)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
			u.RawQuery != "" || u.Fragment != "":
			ps = append(ps, lab.Problem{Path: at.path, Message: "is not the address of a server", // it may hold a password
				Hint: "write https://eu.api.ovh.com, or leave it out"})
		case httpx.Plaintext(u):
			ps = append(ps, lab.Problem{Path: at.path, Text: at.address, Message: "would send secrets in plain text",
				Hint: "write https://"})
		case at.path == "address" && strings.Trim(u.Path, "/") != "":
			ps = append(ps, lab.Problem{Path: at.path, Text: at.address, Message: "has a path", Hint: "leave out /1.0, /v1 and /v2"})
		}
	}
	client := a.ClientID != "" || !a.ClientSecret.IsZero()
	keys := a.ApplicationKey != "" || !a.ApplicationSecret.IsZero() || !a.ConsumerKey.IsZero()
	switch {
	case client && keys:
		ps.Add("clientID", "given beside the keys of an application: give one or the other")
	case client && (a.ClientID == "" || a.ClientSecret.IsZero()):
		ps.Add("clientID", "an OAuth2 client needs an ID and a secret")
	case keys && (a.ApplicationKey == "" || a.ApplicationSecret.IsZero() || a.ConsumerKey.IsZero()):
		ps.Add("applicationKey", "an application needs its key, its secret and a consumer key")
	case !client && !keys:
		ps.Add("clientID", "empty, and there are no keys of an application either")
	}
	for _, v := range []struct {
		path string
		lab.Secret
	}{{"clientID", lab.NewSecret(a.ClientID)}, {"clientSecret", a.ClientSecret}, {"applicationKey", lab.NewSecret(a.ApplicationKey)},
		{"applicationSecret", a.ApplicationSecret}, {"consumerKey", a.ConsumerKey}} {
		if strings.ContainsFunc(v.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
			ps.Add(v.path, "holds characters that none has, such as a space or a line break")
		}
	}
	if _, err := httpx.Trust(a.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	if a.Parallel < 0 || a.PerSecond < 0 || a.Poll < 0 || a.Wait < 0 {
		ps.Add("", "a limit is negative")
	}
	return ps
}

// until calls look, and again after each poll, until it is done or fails, or the wait is over: then the error wraps
// [lab.ErrTimeout].
func (c *client) until(ctx context.Context, what string, look func(context.Context) (done bool, err error)) error {
	timed, cancel := context.WithTimeoutCause(ctx, c.account.wait(), lab.ErrTimeout)
	defer cancel()
	for {
		done, err := look(timed)
		if done || err != nil && timed.Err() == nil {
			return err
		}
		c.account.log().Info("waiting", "for", what)
		t := time.NewTimer(c.account.poll())
		select {
		case <-t.C:
		case <-timed.Done():
			t.Stop()
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &lab.Error{Op: "wait for " + what, Target: c.account.target(), Hint: "plan again later",
				Err: lab.ErrTimeout}
		}
	}
}
