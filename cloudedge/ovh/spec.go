package ovh

import (
	"cmp"
	"context"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/credential"
)

// Spec is what is wanted in an account. What it leaves out is left as it is.
type Spec struct {
	// Stack says who owns what is created here, in its mark: the environment or the program. Empty means "lab".
	Stack string `yaml:"stack"`

	Clients     []Client     `yaml:"clients"`
	Policies    []Policy     `yaml:"policies"`
	Zones       []Zone       `yaml:"zones"`
	Delegations []Delegation `yaml:"delegations"`

	// Prune removes OAuth2 clients and policies that have the stack's mark and are not wanted any more, and records of
	// wanted zones that Owned says are ours.
	Prune bool `yaml:"prune"`

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are ours if those are more.
	MaxDeletes int `yaml:"maxDeletes"`

	// Adopt takes over what has a wanted name, differs, and is not known to be ours: a client, a policy, the records of
	// one type and name. Without it, such an object is an error.
	Adopt bool `yaml:"adopt"`

	// Sink keeps the IDs and secrets of clients. It must be a [lab.Replacer] for secrets that are replaced. It is
	// required if there are clients.
	Sink lab.Sink `yaml:"-"`

	// Owned says of records, which can bear no mark, whether they are ours, by [RecordID]. Nil: none is known to be.
	Owned func(id string) bool `yaml:"-"`

	// Backup gets a zone as text before the first change of its records; an error stops the change. Nil: nobody does.
	Backup func(ctx context.Context, zone, text string) error `yaml:"-"`
}

// Client is an OAuth2 client of the account that logs in with client credentials: an identity that policies allow
// things to. Its secret is shown once, and kept in [Spec].Sink. A client whose secret is lost is succeeded by another.
type Client struct {
	Name        string `yaml:"name,required"` // letters, digits, dots, hyphens and underscores
	Description string `yaml:"description"`   // what comes before the mark

	// Secret is the entry of the sink. With a path, as "cms/ovh", the ID is in "cms/ovh#client_id", and the secret in
	// "cms/ovh#client_secret"; with a word, as "cms", they are in "cms-client_id" and "cms-client_secret", which a directory can
	// have. Empty means "ovh-NAME".
	Secret string `yaml:"secret"`
}

// IDName returns the name in the sink of the client's ID.
func (c Client) IDName() string { return c.sinkName("client_id") }

// SecretName returns the name in the sink of the client's secret.
func (c Client) SecretName() string { return c.sinkName("client_secret") }

func (c Client) sinkName(field string) string {
	return credential.Field(cmp.Or(c.Secret, "ovh-"+c.Name), field)
}

// Policy is an IAM policy: what some identities may do with some resources.
type Policy struct {
	Name        string   `yaml:"name,required"` // unique in the account
	Description string   `yaml:"description"`   // what comes before the mark
	Clients     []string `yaml:"clients"`       // names of clients of the spec
	Identities  []string `yaml:"identities"`    // URNs of other identities

	// Resources are the URNs of what the policy is about: "urn:v1:eu:resource:dnsZone:arcodange.fr".
	Resources []string `yaml:"resources,required"`

	// Purposes are what is to be done with the resources, of which the actions are computed: see [Purposes]. Allow are
	// actions to allow beside those.
	Purposes []string `yaml:"purposes"`
	Allow    []string `yaml:"allow"`
}

// Zone is a DNS zone that OVH hosts. It is never created or removed.
type Zone struct {
	Name    string   `yaml:"name,required"` // "arcodange.fr"
	Records []Record `yaml:"records"`
}

// Record is all records of one type and name in a zone. They are ours together.
type Record struct {
	Type string `yaml:"type,required"` // A, AAAA, CAA, CNAME, DNAME, LOC, MX, NAPTR, NS, PTR, SRV, SSHFP, TLSA or TXT
	Name string `yaml:"name"`          // without the zone's: "www"; empty or "@" means the zone itself

	// Targets are the data, in any order. Names of hosts end with a dot: "10 mx.zoho.eu.". A text is written as it is,
	// or, where it begins with a quotation mark, as in a zone file.
	Targets []string `yaml:"targets"`

	TTL    int  `yaml:"ttl"`    // seconds, 60 or more; 0 means the zone's default
	Absent bool `yaml:"absent"` // there must be none; Targets is empty
}

// Delegation is which name servers the registry has of a domain. Its change is refused until every record that the zone
// at OVH serves is on the other side too, unless the name servers are OVH's own, and while a DS record remains.
type Delegation struct {
	Domain      string   `yaml:"domain,required"`
	NameServers []string `yaml:"nameServers,required"` // two to eight, without the domain's own: those would need addresses

	// RemoveDS ends DNSSEC where the name servers differ, which is a change of its own: they are changed by a later
	// plan. Leave a day between the two, for which resolvers may remember the DS record.
	RemoveDS bool `yaml:"removeDS"`

	// Dropped are records of the zone at OVH that shall not be on the other side, each as a type and a name: "A www",
	// "MX @".
	Dropped []string `yaml:"dropped"`

	// Other lists the records of the domain on the other side, in any number of parts, with names that are whole or relative
	// to the domain, and with or without dots at the ends of targets. It is called when the name servers differ. Nil: nothing
	// is known to be there.
	Other func(context.Context) ([]Record, error) `yaml:"-"`
}

func (s *Spec) stack() string {
	if s.Stack == "" {
		return "lab"
	}
	return s.Stack
}

// SettingAdopt is the setting of [Spec].Adopt, SettingRemoveDS that of [Delegation].RemoveDS.
const (
	SettingAdopt    = "adopt"
	SettingRemoveDS = "removeDS"
)
