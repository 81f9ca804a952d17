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

// Resource is one thing that a machine should have, or should not have. The kinds in this package
// are plain structs. Other packages add kinds by implementing the four methods, and any of the
// optional interfaces below: the engine knows kinds by these alone.
type Resource interface {
	// ID is the resource's address on the machine, unique in a [State]: the kind, a colon and a
	// name, as in "file:/etc/hosts".
	ID() string

	// Validate returns all problems of the resource itself. Their paths name its fields.
	Validate() lab.Problems

	// Observe asks for what Plan needs to know. It has no other effect and depends on the resource
	// alone.
	Observe(*Query)

	// Plan returns the changes that the machine needs to have the resource, none if it has it. It
	// is pure: it depends on the resource and the observation alone, and writes to neither. An
	// error means that the resource cannot be reached from the machine's present state, and fails
	// the machine's plan.
	Plan(*Observation) ([]Op, error)
}

// Set is a resource that consists of others, as a timer consists of two files and a unit. Its ID
// stands for all of them in an [Order]. Its own Observe and Plan are not called.
type Set interface {
	Resource
	Resources() []Resource
}

// composite is embedded in the kinds that are a [Set]: their own Observe and Plan are not called.
type composite struct{}

func (composite) Observe(*Query) {}

func (composite) Plan(*Observation) ([]Op, error) { return nil, nil }

// Ordered is a resource that names the resources that it comes after. Every kind that embeds
// [Order] implements it.
type Ordered interface {
	ComesAfter() []string // IDs of resources and sets
}

// Order is embedded in every kind of resource.
type Order struct {
	// After lists the IDs of resources that must be in place before this one is changed. Most
	// dependencies follow from the resources themselves and need not be listed: a file comes after
	// its parent directories and its owner, an edit after earlier edits of the same file, a package
	// after the package sources, a unit after its files. Otherwise changes are made in the order of
	// the State.
	After []string `yaml:"after"`
}

// ComesAfter implements [Ordered].
func (o Order) ComesAfter() []string { return o.After }

// Related is a resource that has to do with others of its state, or with files that services read.
type Related interface{ Relations() Relations }

// Relations say what a resource has to do with others. The zero value means nothing.
type Relations struct {
	// Provides lists what others may depend on, as tokens:
	//
	//   - "path:/etc/x": what is at the path
	//   - "user:NAME", "group:NAME", "package:NAME", "unit:NAME": it exists
	//   - "down:UNIT": the unit is stopped or disabled
	//   - "apt", "apt-lists": the package sources, and their package lists
	//   - "units", "daemon-reload": the unit files, and systemd's having read them
	//   - "hostname": the machine's name
	//
	// Kinds may agree on any other token between them.
	Provides []string

	// Needs lists the tokens after whose providers the resource comes. A path stands for itself and
	// for all its parent directories. What no resource of the state provides is assumed to exist.
	Needs []string

	// Removes is a path that the resource removes with everything below it: it comes after all
	// resources that provide anything there, and none waits for it. Empty means that it removes
	// nothing.
	Removes string

	// Last means that the resource is applied after everything else: no resource of its state can
	// come after it.
	Last bool

	// Claims lists the paths that the resource manages. A state in which two resources claim the
	// same path as a whole is invalid, since each run would revert the other's work; so is one that
	// edits a file which another resource claims as a whole.
	Claims []Claim

	// Files lists the files through which services read the resource. Their times show whether a
	// unit that was not started by this package has read them.
	Files []string
}

// Claim is a path that a resource manages: as a whole, or as part of a file that others edit too.
type Claim struct {
	Path string
	Part bool // false means that the resource determines everything about the path
}

// relations returns those of any resource.
func relations(r Resource) Relations {
	if related, ok := r.(Related); ok {
		return related.Relations()
	}
	return Relations{}
}

// Merger is a resource that may occur more than once in a state. Merge returns the one resource
// that stands for both itself and another with the same ID, or false if they contradict each
// other. Equal resources are merged without it.
type Merger interface {
	Merge(other Resource) (Resource, bool)
}

// Implier is a resource that adds others to the state, as packages add the update of the package
// lists. Implied resources with the same ID are merged, see [Merger]. They come before the first
// resource that implies them, unless their tokens place them elsewhere.
type Implier interface{ Implies() []Resource }

// Binder is a resource whose plan depends on other resources of the state. Bind returns the
// resource with what it learned of them.
type Binder interface{ Bind(*Whole) Resource }

// Whole is the state that a resource is part of, as its [Binder] sees it: the selected resources,
// with sets replaced by their members.
type Whole struct {
	resources []Resource
	members   map[string][]string // ID of a set -> IDs of its members
}

// Resources returns all resources of the state.
func (w *Whole) Resources() []Resource { return slices.Clone(w.resources) }

// Find returns the resource with the ID, or the members of the set with the ID; nil if there are
// none.
func (w *Whole) Find(id string) (found []Resource) {
	ids := append([]string{id}, w.members[id]...)
	for _, r := range w.resources {
		if slices.Contains(ids, r.ID()) {
			found = append(found, r)
		}
	}
	return found
}

// Provides reports whether a resource of the state provides the token, see [Relations].
func (w *Whole) Provides(token string) bool {
	return slices.ContainsFunc(w.resources, func(r Resource) bool {
		return slices.Contains(relations(r).Provides, token)
	})
}

// Fingerprinter is a resource whose change can restart a unit: the fingerprint identifies what a
// service that reads the resource would see. It must not contain a secret in clear text: hash it.
type Fingerprinter interface{ Fingerprint() string }

// Loader is a resource that reads local files, on the control side, before its machine is planned.
// Load returns the resource with what it read.
type Loader interface{ Load() (Resource, error) }

// SecretHolder is a resource that holds secrets. They are masked in all output of the machine and
// in the plan.
type SecretHolder interface{ Secrets() []lab.Secret }

// Resolver is a resource that refers to secrets. Resolve returns it with the values that read
// returns for its references; field is the place of a reference in the resource.
type Resolver interface {
	Resolve(read func(field string, ref lab.SecretRef) lab.Secret) Resource
}

// Relative is a resource that names local files. From returns it with relative names resolved
// against the directory of the document that it was read from.
type Relative interface{ From(dir string) Resource }

// Op is one change that a resource needs.
type Op struct {
	Name   string // distinguishes the ops of one resource; empty for the first
	Action lab.Action
	Cause  string
	Diff   string // secrets masked, with [lab.Mask]
	Risk   lab.Risk

	// Script makes the change. It is POSIX sh, run as root with set -e in a shell of its own, with
	// working directory /, umask 077 and an empty standard input. It may call put, see Payload, and
	// the other functions that sh/apply.sh documents.
	Script string

	// Payload is content that is sent with the script and stored in Payload.Temp, mode 0600, before
	// Script runs; nil means none. Script moves it into place with
	// put TEMP PATH MODE OWNER:GROUP SHA256 ['VALIDATION'], which verifies the checksum, syncs the
	// file before the rename and its directory after it, and removes the file if anything fails.
	Payload *Payload

	// placement is set if Script moves the payload into place, see [Op.places].
	placement *placement

	// Temps are the files that Script writes and then moves or removes, besides Payload.Temp; one whose name
	// ends in a slash is a directory, with all that is in it. If the run is cut off meanwhile, the next one
	// removes them, if their names begin with a dot or end in "tmp". Empty means none.
	Temps []string

	// Batch is the start of a command that makes all ops with the same Batch at once, with the Item
	// of each appended as one word, as in "systemctl enable --". If it fails, the ops are made one
	// by one. Empty means that the op is made by its Script; otherwise the op has no Script.
	Batch string
	Item  string

	// Expected is the state of the machine after the op, for later resources of the same plan that
	// look at it.
	Expected Expected

	// Reboot asks for a reboot after all other changes. All ops that ask for one share one reboot.
	Reboot bool

	// Deferred means that the change can only be planned once earlier changes have been made, such
	// as an edit of a file that comes with a package. The resource's Plan is then called again, and
	// the Script of this Op is not run.
	Deferred bool
}

// placement is how the script of an op moves its payload into place if it does nothing else.
type placement struct {
	path, owner, group string
	mode               Mode
	sum                [32]byte
	validate           string // see put
	before             string // the hash that the file must still have, or "absent"; empty means any
}

// Payload is content that is sent to the machine with a script, over its standard input.
type Payload struct {
	Temp    string // where it is stored, mode 0600: a file in the target directory, so that it can be renamed
	Size    int64  // bytes
	Content []byte // the content; nil means that it is in Source
	Source  string // a local file that holds it

	// Replaces is the file that it will replace, whose ACL and extended attributes are kept as far
	// as writing in place would have kept them. Empty means none.
	Replaces string
}

func (p *Payload) open() (io.ReadCloser, error) {
	if p.Source == "" {
		return io.NopCloser(bytes.NewReader(p.Content)), nil
	}
	return os.Open(p.Source)
}

// RolledBack returns the command with which the script of an [Op] reports that it rolled back
// earlier changes of the same plan: all changes of the resources with these IDs, or single ones,
// named by the ID of the resource, a slash and the Op's Name. Those that were made are reported as
// rolled back; the others keep their status.
func RolledBack(names ...string) string {
	if len(names) == 0 {
		return ":"
	}
	words := []string{"rolled_back"}
	for _, n := range names {
		words = append(words, hex.EncodeToString([]byte(n))) // a name may hold any byte, a frame's header only words
	}
	return strings.Join(words, " ")
}

// State is the desired state of a machine: resources, in the order in which they are applied. The
// zero State wants nothing.
type State []Resource
