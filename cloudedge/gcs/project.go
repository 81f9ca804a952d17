package gcs

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Project says which project of Google Cloud to provision and how to get there. Nothing is read of the environment, nor of any
// file: there are no application default credentials.
type Project struct {
	ID string // "arcodange"; it is required

	// Key is the key of a service account as Google hands it out, in JSON. Its token_uri is not used: a file that was tampered
	// with must not say where a signature is sent.
	Key lab.Secret

	// AccessToken is an OAuth2 access token that is used instead of a Key, as it comes of workload identity federation.
	AccessToken lab.Secret

	// Address is where all of the APIs are, without a path; empty means Google's: storage.googleapis.com,
	// iam.googleapis.com and oauth2.googleapis.com.
	Address string

	// CA are the certificates, in PEM, against which those of the APIs are verified; empty means the system's.
	CA string

	// Boundary makes the connections. Nil means the zero [lab.Boundary], which allows loopback only.
	Boundary lab.Dialer

	// Log gets each request and each wait, without any secret; nil discards.
	Log *slog.Logger

	// Parallel is how many requests are under way at once; 0 means 4.
	Parallel int

	// Poll is how long to wait between two looks at what takes its time; 0 means 3 seconds. Wait is how long to wait for it in
	// all, such as for a new account to be known everywhere; 0 means 2 minutes.
	Poll, Wait time.Duration

	Counters *Counters // counts what plans and applies cost; nil counts nothing
}

// Counters count requests, and those of them that write. They may be shared by several projects.
type Counters = httpx.Counters

const (
	storageAddress = "https://storage.googleapis.com"
	iamAddress     = "https://iam.googleapis.com"
	loginAddress   = "https://oauth2.googleapis.com"
	loginPath      = "/token"

	// scope is what tokens are asked for; what they may do is said by IAM.
	scope = "https://www.googleapis.com/auth/cloud-platform"
)

// at returns the address of an API of the vendor, or the one that is given for all.
func (p *Project) at(vendor string) string {
	if p.Address == "" {
		return vendor
	}
	return strings.TrimRight(p.Address, "/")
}

func (p *Project) parallel() int {
	if p.Parallel <= 0 {
		return 4
	}
	return p.Parallel
}

func (p *Project) poll() time.Duration {
	if p.Poll <= 0 {
		return 3 * time.Second
	}
	return p.Poll
}

func (p *Project) wait() time.Duration {
	if p.Wait <= 0 {
		return 2 * time.Minute
	}
	return p.Wait
}

func (p *Project) log() *slog.Logger {
	if p.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return p.Log
}

// target names the project in errors.
func (p *Project) target() string { return "google project " + lab.Printable(p.ID) }

// cloud.google.com/resource-manager/docs/creating-managing-projects; a project of a domain has the form DOMAIN:ID.
var projectID = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)

// accountKey is the key of a service account as Google hands it out.
type accountKey struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKey   string `json:"private_key"`
	PrivateKeyID string `json:"private_key_id"`
}

func (p *Project) key() (k accountKey, ok bool) {
	err := json.Unmarshal([]byte(p.Key.Reveal()), &k)
	return k, err == nil
}

// Validate reports everything that is wrong with the project's fields.
func (p *Project) Validate() (ps lab.Problems) {
	if !projectID.MatchString(p.ID) {
		ps = append(ps, lab.Problem{Path: "id", Text: p.ID, Message: "is not the ID of a project",
			Hint: "write 6 to 30 lowercase letters, digits and hyphens: not the project's name or number"})
	}
	u, err := url.Parse(p.at(storageAddress))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" ||
		u.RawQuery != "" || u.Fragment != "":
		ps = append(ps, lab.Problem{Path: "address", Message: "is not the address of a server alone", // it may hold a password
			Hint: "leave it out for Google's"})
	case httpx.Plaintext(u):
		ps = append(ps, lab.Problem{Path: "address", Text: p.Address, Message: "would send tokens in plain text", Hint: "write https://"})
	}
	switch {
	case p.Key.IsZero() && p.AccessToken.IsZero():
		ps.Add("key", "empty, and there is no access token either")
	case !p.Key.IsZero() && !p.AccessToken.IsZero():
		ps.Add("key", "given beside an access token: give one or the other")
	case !p.Key.IsZero():
		if k, ok := p.key(); !ok {
			ps.Add("key", "is not the key of a service account in JSON")
		} else if k.Type != "service_account" {
			ps = append(ps, lab.Problem{Path: "key", Message: "is of the type " + lab.Printable(k.Type) + ", not of a service account",
				Hint: "create one with: gcloud iam service-accounts keys create"})
		} else if k.ClientEmail == "" || !strings.Contains(k.PrivateKey, "PRIVATE KEY-----") {
			ps.Add("key", "has no client_email or no private_key")
		}
	case strings.ContainsFunc(p.AccessToken.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		ps.Add("accessToken", "holds characters that none has, such as a space or a line break")
	}
	if _, err := httpx.Trust(p.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	if p.Parallel < 0 || p.Poll < 0 || p.Wait < 0 {
		ps.Add("", "a limit is negative")
	}
	return ps
}

// Tokens returns a function that returns an access token of the project's credentials, for clients of other APIs of
// Google, such as that of package ledger. It logs in when it is first called, and again when the token has expired.
func (p *Project) Tokens() func(context.Context) (lab.Secret, error) {
	c := p.client()
	return func(ctx context.Context) (lab.Secret, error) {
		if err := p.Validate().Err(); err != nil {
			return lab.Secret{}, err
		}
		defer c.close()
		return c.authorize(ctx)
	}
}
