package host

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Resource is one thing that a machine should have, or should not have. The kinds of this package are plain structs. A package of your own adds
// a kind by implementing the four methods, and may implement any of the small interfaces below: the engine knows kinds by these alone.
type Resource interface {
	// ID is the resource's address on the machine, unique in a [State]: the kind, a colon and a name, "file:/etc/hosts".
	ID() string

	// Validate returns everything that is wrong with the resource itself. Paths name its fields.
	Validate() lab.Problems

	// Observe asks for what Plan must know. It has no other effect and depends on the resource alone.
	Observe(*Query)

	// Plan returns what must be done so that the machine has the resource, nothing when it has it. It is pure: it depends on the resource
	// and the observation alone, and writes to neither. An error means that the resource cannot be had from where the machine is, and
	// stops the machine's plan.
	Plan(*Observation) ([]Op, error)
}

// Set is a resource that is made of others, as a timer is made of two files and a unit. Its ID stands for all of them in an [Order]. Its own
// Observe and Plan are not called.
type Set interface {
	Resource
	Resources() []Resource
}

// Ordered is a resource that names others that it comes after. [Order] implements it for every kind that embeds it.
type Ordered interface {
	ComesAfter() []string // IDs of resources and sets
}

// Order is embedded in every kind of resource.
type Order struct {
	// After are the IDs of resources that must be right before this one is changed. What follows from the resources themselves need not be
	// named: a file comes after the directories above it and after its owner, an edit after earlier edits of the same file, a package after
	// the sources, a unit after its files. Otherwise changes are made in the order of the State.
	After []string `yaml:"after"`
}

// ComesAfter implements [Ordered].
func (o Order) ComesAfter() []string { return o.After }

// Provider is a resource that others may depend on. It provides tokens:
//
//   - "path:/etc/x": what is at the path
//   - "user:NAME", "group:NAME", "package:NAME", "unit:NAME": they are there
//   - "down:UNIT": the unit is stopped or disabled
//   - "apt", "apt-lists": the sources of packages, and their lists
//   - "units", "daemon-reload": the files of units, and that systemd has read them
//   - "hostname": the machine's name
//
// Any other token may be used between kinds that agree on it.
type Provider interface{ Provides() []string }

// Needer is a resource that comes after those that provide what it needs, in the tokens of [Provider]. A needed path stands for itself and for
// every directory above it. What nothing in the state provides is taken to be there.
type Needer interface{ Needs() []string }

// Remover is a resource that removes a path with all that is below it: it comes after whatever provides anything there, and nothing
// waits for it. An empty path means that it removes nothing.
type Remover interface{ Removes() string }

// Final is a resource that is made after everything else: nothing in its state can come after it.
type Final interface{ Final() bool }

// Claim is a path that a resource is about: all of it, or a part of a file that others write to as well.
type Claim struct {
	Path string
	Part bool // false means that the resource says everything about the path
}

// Claimer is a resource that says which paths it is about. Two that claim the same path whole are refused, since each run would undo the
// work of the other, and so is one that edits a file which another writes whole.
type Claimer interface{ Claims() []Claim }

// Merger is a resource that may be stated more than once: Merge returns the one resource that stands for itself and another of the same ID,
// or false when they contradict each other. Resources that are equal need not implement it.
type Merger interface {
	Merge(other Resource) (Resource, bool)
}

// Implier is a resource that brings others with it, as packages bring the update of the lists of packages. Those with the same ID are
// merged, see [Merger]; they come before the first resource that implies them, unless their tokens place them elsewhere.
type Implier interface{ Implies() []Resource }

// Binder is a resource whose plan depends on what else the state holds. Bind returns the resource that knows it.
type Binder interface{ Bind(*Whole) Resource }

// Whole is the state that a resource is a part of, as its [Binder] sees it: what was selected of it, with sets replaced by what they are made of.
type Whole struct {
	resources []Resource
	members   map[string][]string // ID of a set -> IDs of what it is made of
}

// Find returns the resource with the ID, or those that the set with the ID is made of; nil when the state holds none.
func (w *Whole) Find(id string) (found []Resource) {
	ids := append([]string{id}, w.members[id]...)
	for _, r := range w.resources {
		if slices.Contains(ids, r.ID()) {
			found = append(found, r)
		}
	}
	return found
}

// Provides reports whether a resource of the state provides the token, see [Provider].
func (w *Whole) Provides(token string) bool {
	return slices.ContainsFunc(w.resources, func(r Resource) bool {
		p, ok := r.(Provider)
		return ok && slices.Contains(p.Provides(), token)
	})
}

// Fingerprinter is a resource whose change can restart a unit: the fingerprint is of what a service that reads the resource would see.
// It holds no secret in clear: hash what is secret.
type Fingerprinter interface{ Fingerprint() string }

// Watched is a resource that a service reads in files. Their times tell whether a unit that was not started by this package has read them.
type Watched interface{ Files() []string }

// Loader is a resource that reads something here, beside the program, before its machine is planned. Load returns the resource that knows it.
type Loader interface{ Load() (Resource, error) }

// SecretHolder is a resource that holds secrets. They are masked in whatever the machine prints and in whatever is planned.
type SecretHolder interface{ Secrets() []lab.Secret }

// Resolver is a resource that refers to secrets. Resolve returns it with what read returns for each reference; the field names its place
// in the resource.
type Resolver interface {
	Resolve(read func(field string, ref lab.SecretRef) lab.Secret) Resource
}

// Relative is a resource that names files here. From returns it with relative names taken from the directory of the document that it was
// read from.
type Relative interface{ From(dir string) Resource }

// Op is one change that a resource needs.
type Op struct {
	Name   string // tells the ops of one resource apart; empty for the first
	Action lab.Action
	Cause  string
	Diff   string // secrets masked, with [lab.Mask]
	Risk   lab.Risk

	// Script makes the change: POSIX sh, run as root with set -e in a shell of its own, its working directory /, its umask 077, its standard
	// input empty. It may call put, see Payload, and what else sh/apply.sh documents.
	Script string

	// Payload is content that is sent with the script. It is stored in Payload.Temp, mode 0600, before Script runs; nil means none. Script
	// moves it into place by: put TEMP PATH MODE OWNER:GROUP SHA256 ['VALIDATION'], which does so only if it arrived whole, syncs it before
	// and the directory after, and removes it when anything fails.
	Payload *Payload

	// Batch is the beginning of a command that makes this op together with others of the same Batch, when the Item of each is appended as
	// one word: "systemctl enable --". When it fails, the ops are made one by one. Empty means that the op is made by its Script;
	// otherwise the op has no Script.
	Batch string
	Item  string

	// Expected is what the machine will be once the op is made, for the resources after it in the same plan that look at it.
	Expected Expected

	// Reboot asks for a reboot after all other changes. Ops of several resources that ask for one make one reboot.
	Reboot bool

	// Deferred means that what must be done is known only when the other changes are made, as for an edit of a file that comes with a
	// package. The resource's Plan is called again then, and the Script of this Op is not run.
	Deferred bool
}

// Payload is content that goes to the machine with a script, over its standard input.
type Payload struct {
	Temp    string // where it is stored, mode 0600; a file in the directory of its last place, so that it can be renamed into it
	Size    int64  // bytes
	Content []byte // the content; nil means that it is in Source
	Source  string // a file here that holds it

	// Replaces is the file in whose place it will be: its ACL and its extended attributes are taken over, as far as a write in place would have
	// kept them. Empty means none.
	Replaces string
}

func (p *Payload) open() (io.ReadCloser, error) {
	if p.Source == "" {
		return io.NopCloser(bytes.NewReader(p.Content)), nil
	}
	return os.Open(p.Source)
}

// RolledBack returns the command by which the script of an [Op] reports that it rolled back what the plan had made before it: all changes of
// resources with these IDs, or single ones, as the ID of the resource, a slash and the Op's Name. Those of them that were made are then
// reported as rolled back, and those that were not keep the end that they had.
func RolledBack(names ...string) string {
	if len(names) == 0 {
		return ":"
	}
	words := []string{"rolled_back"}
	for _, n := range names {
		words = append(words, hex.EncodeToString([]byte(n))) // a name may hold anything, a frame's header only words
	}
	return strings.Join(words, " ")
}

// State is what a machine should be: resources, in the order in which they are to be made. The zero State wants nothing.
type State []Resource
