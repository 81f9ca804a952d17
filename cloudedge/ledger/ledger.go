package ledger

import (
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
)

// Ledger says where the record of an app is, and who writes it. It must not be copied after its first use.
type Ledger struct {
	Bucket string // required

	// Instance is whose plans are recorded. Its objects are below [lab.Instance.StatePrefix]. It is required.
	Instance lab.Instance

	// Holder is who takes the lock, for those who wait for it: "ci 4711 of arcodange-org/factory". It is required.
	Holder string

	// Token returns an OAuth2 access token that may read and write objects of the bucket. It is required.
	Token func(context.Context) (lab.Secret, error)

	// Key is what fingerprints of secrets are made with: at least 32 bytes, the same every time. Empty: there are none.
	Key lab.Secret

	// MaxDeletes is how many objects a guarded plan may remove; 0 means 5, or 1 of 5 of those that are recorded if those
	// are more.
	MaxDeletes int

	// Lease is after how long the lock ends by itself if nobody renews it, as a running apply does; 0 means 10 minutes. At
	// least one second.
	Lease time.Duration

	// Patience is how long the lock of somebody else is waited for; 0 means not at all.
	Patience time.Duration

	Address  string          // of the service; empty means https://storage.googleapis.com
	CA       string          // certificates in PEM that it is trusted by; empty means the system's
	Boundary lab.Dialer      // makes the connections; nil means loopback only
	Log      *slog.Logger    // tells of each write; nil tells nobody
	Counters *httpx.Counters // counts requests; nil counts nothing

	applying sync.Mutex // one guarded step of this process at a time
}

// SettingMaxDeletes is the setting of how many objects a plan may remove, see [Ledger].MaxDeletes.
const SettingMaxDeletes = "maxDeletes"

const defaultAddress = "https://storage.googleapis.com"

var (
	// docs.cloud.google.com/storage/docs/buckets, "Bucket names", without those that are domains.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$`)
	minKey     = 32
)

// Validate reports everything that is wrong with the fields.
func (l *Ledger) Validate() (ps lab.Problems) {
	if !bucketName.MatchString(l.Bucket) {
		ps = append(ps, lab.Problem{Path: "bucket", Text: l.Bucket, Message: "is not the name of a bucket",
			Hint: "write 3 to 63 lowercase letters, digits, hyphens and underscores"})
	}
	if err, ok := lab.ValidateInstances([]lab.Instance{l.Instance}).(lab.Problems); ok {
		for _, p := range err {
			p.Path = "instance" + strings.TrimPrefix(p.Path, "[0]")
			ps = append(ps, p)
		}
	}
	if l.Holder == "" || strings.ContainsFunc(l.Holder, func(r rune) bool { return r < ' ' }) {
		ps.Add("holder", "is empty, or has control characters")
	}
	if l.Token == nil {
		ps.Add("token", "empty")
	}
	if !l.Key.IsZero() && len(l.Key.Reveal()) < minKey {
		ps.Add("key", "shorter than %d bytes", minKey)
	}
	if l.MaxDeletes < 0 || l.Patience < 0 {
		ps.Add("maxDeletes", "a limit is negative")
	}
	if l.Lease < 0 || l.Lease > 0 && l.Lease < time.Second {
		ps.Add("lease", "%s is shorter than a second", l.Lease)
	}
	u, err := url.Parse(l.address())
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "":
		ps.Add("address", "is not the address of a server alone")
	case httpx.Plaintext(u):
		ps.Add("address", "would send tokens in plain text: write https://")
	}
	if _, err := httpx.Trust(l.CA); err != nil {
		ps.Add("ca", "%v", err)
	}
	return ps
}

func (l *Ledger) address() string {
	if l.Address == "" {
		return defaultAddress
	}
	return strings.TrimRight(l.Address, "/")
}

func (l *Ledger) lease() time.Duration {
	if l.Lease == 0 {
		return 10 * time.Minute
	}
	return l.Lease
}

// object returns the name of one of the app's objects.
func (l *Ledger) object(name string) string { return l.Instance.StatePrefix() + "/" + name }

// The objects.
const (
	recordName = "ownership.json"
	lockName   = "lock.json"
	tofuName   = "default.tflock" // of OpenTofu's and Terraform's backend "gcs", with the workspace "default"
)
