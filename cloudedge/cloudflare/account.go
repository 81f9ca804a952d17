package cloudflare

import (
	"log/slog"
	"net/url"
	"regexp"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Account says which account of Cloudflare is provisioned, and how its API is reached. Nothing is read of the
// environment.
type Account struct {
	ID string // of the account: 32 hexadecimal digits. It is required.

	// Token is an API token of the account that may do what the spec needs: "Account API Tokens Write" for tokens, "Workers
	// R2 Storage Write" for buckets, and so on. It can grant only what it has itself. It is required.
	Token lab.Secret

	// Address is that of the API; empty means https://api.cloudflare.com.
	Address string

	// CA are the certificates, in PEM, against which that of the API is verified; empty means the system's.
	CA string

	// Boundary makes the connections. Nil means the zero [lab.Boundary], which allows loopback only: a sandbox.
	Boundary lab.Dialer

	// Parallel is how many requests are under way at once; 0 means 4. In the long run, 4 are sent a second: Cloudflare
	// takes 1,200 in 5 minutes, and then none for as long.
	Parallel int

	Log      *slog.Logger // tells of each request that writes, without what it holds; nil tells nobody
	Counters *Counters    // counts what plans and applies cost; nil counts nothing
}

// Counters count requests, and those of them that write. They may be shared by several accounts.
type Counters = httpx.Counters

const (
	defaultAddress  = "https://api.cloudflare.com"
	defaultParallel = 4
)

func (a *Account) parallel() int {
	if a.Parallel <= 0 {
		return defaultParallel
	}
	return a.Parallel
}

func (a *Account) address() string {
	if a.Address == "" {
		return defaultAddress
	}
	return strings.TrimRight(a.Address, "/")
}

// target names the account in errors.
func (a *Account) target() string { return "cloudflare " + a.ID }

var identifier = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Validate reports everything that is wrong with the account's fields.
func (a *Account) Validate() (ps lab.Problems) {
	if !identifier.MatchString(a.ID) {
		ps = append(ps, lab.Problem{Path: "account", Text: a.ID, Message: "is not the ID of an account",
			Hint: "it has 32 hexadecimal digits, as the address of the dashboard shows it"})
	}
	u, err := url.Parse(a.address())
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" ||
		u.RawQuery != "" || u.Fragment != "":
		ps.Add("address", "is not the address of a server alone") // the text may hold a password
	case httpx.Plaintext(u):
		ps.Add("address", "would send tokens in plain text: write https://")
	}
	switch {
	case a.Token.IsZero():
		ps.Add("token", "empty")
	case strings.ContainsFunc(a.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		ps.Add("token", "holds characters that no token has, such as a space or a line break")
	}
	if _, err := httpx.Trust(a.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	if a.Parallel < 0 {
		ps.Add("parallel", "%d is negative", a.Parallel)
	}
	return ps
}
