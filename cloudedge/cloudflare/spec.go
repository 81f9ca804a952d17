package cloudflare

import (
	"cmp"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Spec is what an account must have. What it does not name is not touched, but for what Prune removes.
type Spec struct {
	Buckets []Bucket `yaml:"buckets"` // of R2; empty: none is looked at
	Tokens  []Token  `yaml:"tokens"`  // empty: none is looked at
	Zones   []Zone   `yaml:"zones"`   // with their records and settings; empty: none is looked at
	Tunnels []Tunnel `yaml:"tunnels"` // empty: none is looked at
	Pages   []Page   `yaml:"pages"`   // projects; empty: none is looked at
	Widgets []Widget `yaml:"widgets"` // of Turnstile; empty: none is looked at

	// Stack says whose objects these are, as "prod": it is written into what can be marked, and an object with the mark of
	// another stack is a conflict. Empty means "lab".
	Stack string `yaml:"stack"`

	// Prune removes tokens, tunnels, and records of the zones in the spec, that have our mark and are not wanted any more.
	// Of a list that is nil, nothing is removed: one that is empty removes all. Zones, buckets, Pages projects, widgets, their
	// host names and settings are never removed.
	Prune bool `yaml:"prune"`

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if those are more.
	MaxDeletes int `yaml:"maxDeletes"`

	// Adopt takes over objects without our mark that have the name of a wanted one and differ from it. Without it, they
	// are a conflict; one that differs in nothing is taken as it is.
	Adopt bool `yaml:"adopt"`

	// Owned reports whether an object that can carry no mark is ours, by the ID of its change, as "cloudflare/page:cms": one
	// that is not, and differs, is a conflict unless Adopt is set. Nil: those that are wanted are ours.
	Owned func(id string) bool `yaml:"-"`

	// Sink is where secrets are kept that Cloudflare shows once, and those of tunnels and widgets. It is required where
	// there are such. To succeed a token by another, it must be a [lab.Replacer].
	Sink lab.Sink `yaml:"-"`
}

func (s *Spec) stack() string { return cmp.Or(s.Stack, "lab") }

// Bucket is a bucket of R2. It is never deleted.
type Bucket struct {
	Name string `yaml:"name,required"` // 3 to 63 of a-z, 0-9 and hyphens

	// Jurisdiction is where its objects stay: default, eu or fedramp; empty means default. It is part of the name: the
	// same name in another jurisdiction is another bucket.
	Jurisdiction string `yaml:"jurisdiction"`

	// Location is where it is created: apac, eeur, enam, weur or wnam; empty leaves it to Cloudflare. It is a hint, and
	// never compared.
	Location string `yaml:"location"`

	StorageClass string `yaml:"storageClass"` // of new objects: Standard or InfrequentAccess; empty leaves it

	// Lifecycle are rules of ours, whose IDs begin with "lab-". Rules of others are kept. Nil leaves all of them.
	Lifecycle []LifecycleRule `yaml:"lifecycle"`

	CORS []CORSRule `yaml:"cors"` // exactly these; nil leaves them

	Domains []BucketDomain `yaml:"domains"` // by which everybody can read it, beside those that it has

	// DevURL lets everybody read it at an address of r2.dev. Unless it is true, that is switched off.
	DevURL bool `yaml:"devURL"`
}

// LifecycleRule removes objects, or uploads that were not ended, after some days.
type LifecycleRule struct {
	Name            string `yaml:"name,required"`   // without the "lab-"
	Prefix          string `yaml:"prefix"`          // of the objects; empty means all
	DeleteAfter     int    `yaml:"deleteAfter"`     // days; 0: never
	AbortAfter      int    `yaml:"abortAfter"`      // days, of uploads in parts; 0: never
	InfrequentAfter int    `yaml:"infrequentAfter"` // days until they are moved to InfrequentAccess; 0: never
}

// CORSRule says which pages of other sites may use a bucket.
type CORSRule struct {
	Origins []string `yaml:"origins,required"` // "https://arcodange.fr"
	Methods []string `yaml:"methods,required"` // GET, PUT, POST, DELETE, HEAD
	Headers []string `yaml:"headers"`          // that requests may have
	Expose  []string `yaml:"expose"`           // headers of answers that pages may read
	MaxAge  int      `yaml:"maxAge"`           // seconds that a browser may remember it; 0 leaves it to the browser
}

// BucketDomain is a host name by which a bucket is read. Cloudflare makes its record, and its certificate after a while.
type BucketDomain struct {
	Name   string `yaml:"name,required"` // in one of the account's zones: "files.arcodange.fr"
	MinTLS string `yaml:"minTLS"`        // 1.0 to 1.3; empty leaves it
}

// Token is an API token of the account. Cloudflare shows its value once: it is kept in [Spec].Sink, and stays when the
// grants change. A token whose value is lost is succeeded by another.
type Token struct {
	Name   string  `yaml:"name,required"`   // letters, digits, hyphens, dots and underscores
	Grants []Grant `yaml:"grants,required"` // exactly these

	AllowIPs []string `yaml:"allowIPs"` // networks that it may be used from, exactly; nil leaves them
	DenyIPs  []string `yaml:"denyIPs"`  // networks that it may not be used from, exactly; nil leaves them
	Expires  string   `yaml:"expires"`  // "2027-12-31T00:00:00Z"; empty leaves it

	// Secret is the entry of the sink. With a path, as "cms/cloudflare", the value is in "cms/cloudflare#token", and the ID of
	// the account in "cms/cloudflare#account_id"; with a word, as "cms", they are in "cms-token" and "cms-account_id", which
	// a directory can have. Empty means "cloudflare-NAME".
	Secret string `yaml:"secret"`

	// S3 keeps the credentials for the S3 API of R2, which follow from the token, in the same entry: access_key_id
	// and secret_access_key.
	S3 bool `yaml:"s3"`

	MaxAge string `yaml:"maxAge"` // after which it is succeeded by another: "2160h"; empty means never

	// Grace is how long a token that was in use is kept beside its successor, "24h"; empty means 24h. One that was never used
	// is removed at once.
	Grace string `yaml:"grace"`

	// HardRoll gives a token whose value is lost a new value instead of a successor: whoever uses the old one is shut
	// out at once.
	HardRoll bool `yaml:"hardRoll"`
}

// Grant is what a token may do, with one kind of resource: the account, some zones or some buckets.
type Grant struct {
	// Permissions are the names of Cloudflare's permission groups: "DNS Write". Their IDs are looked up at each plan.
	Permissions []string `yaml:"permissions,required"`

	Account bool     `yaml:"account"` // on the account
	Zones   []string `yaml:"zones"`   // on these zones, by their names; "*" is all of the account
	Buckets []string `yaml:"buckets"` // on these buckets: "NAME", or "eu/NAME" in another jurisdiction
}

// Zone is a domain whose records Cloudflare serves. It is never deleted.
type Zone struct {
	Name   string `yaml:"name,required"`
	Create bool   `yaml:"create"` // if the account does not have it; otherwise that is an error

	// Settings are those of the zone, by their IDs: "ssl: strict". A value that is no text is written in JSON. What is not
	// named is left.
	Settings map[string]string `yaml:"settings"`

	Records []Record `yaml:"records"`
}

// Record is all records of one type that a name has. Of TXT records, those without our mark are left beside ours.
type Record struct {
	Name string `yaml:"name,required"` // "www", "@" for the zone itself, "*", or a whole name in the zone
	Type string `yaml:"type,required"` // A, AAAA, CNAME, TXT, MX, NS, CAA or SRV

	// Contents are as in a zone file, without its quotes and dots: "192.0.2.1", "10 mx.example.com", "v=spf1 -all",
	// `0 issue "letsencrypt.org"`, "0 5 5269 xmpp.example.com". "tunnel:NAME" is the host name of a tunnel in the spec.
	Contents []string `yaml:"contents,required"`

	TTL     int    `yaml:"ttl"`     // seconds, 60 to 86400; 0 leaves it, and means automatic for a new one
	Proxied *bool  `yaml:"proxied"` // through Cloudflare, of A, AAAA and CNAME; nil leaves it, and creates one that is not
	Comment string `yaml:"comment"` // for people, after the mark, both up to 100 characters; empty leaves it
}

// Tunnel is a Cloudflare tunnel, which is configured at Cloudflare. Its token is kept in [Spec].Sink.
type Tunnel struct {
	Name string `yaml:"name,required"`

	// Ingress says which host names lead where, exactly, in their order; nil leaves it. A rule for all other names, which
	// answers 404, is added at the end.
	Ingress []Ingress `yaml:"ingress"`

	// Secret is the entry of the sink, as that of a [Token], which has the token. Empty means "cloudflare-tunnel-NAME".
	Secret string `yaml:"secret"`
}

// Ingress leads requests of a host name to a service.
type Ingress struct {
	Hostname string `yaml:"hostname,required"` // "www.arcodange.fr", "*.arcodange.fr"
	Path     string `yaml:"path"`              // a regular expression; empty means all
	Service  string `yaml:"service,required"`  // as cloudflared sees it: "https://traefik.kube-system.svc:443"

	ServerName string `yaml:"serverName"` // that the certificate of the service must have; empty means that of the service
	NoVerify   bool   `yaml:"noVerify"`   // the certificate of the service is not verified
}

// Page is a Pages project, which is deployed to by uploads.
type Page struct {
	Name    string   `yaml:"name,required"` // in a-z, 0-9 and hyphens: it is the first part of its host name
	Branch  string   `yaml:"branch"`        // of production; empty leaves it, and means main for a new one
	Domains []string `yaml:"domains"`       // host names, beside those that it has. The records are for the spec to want.
}

// Widget is a Turnstile widget. Its secret is kept in [Spec].Sink.
type Widget struct {
	Name    string   `yaml:"name,required"`    // which is shown in the dashboard
	Domains []string `yaml:"domains,required"` // exactly these
	Mode    string   `yaml:"mode"`             // managed, invisible or non-interactive; empty leaves it, and means managed for a new one

	// Secret is the entry of the sink, as that of a [Token], which has sitekey and secret. Empty means
	// "cloudflare-widget-NAME".
	Secret string `yaml:"secret"`
}
