package kube

import (
	"regexp"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Spec is what objects are wanted.
type Spec struct {
	// Owner is whose the objects are: "tools". It is the name of the plan's step, the value of the label
	// [OwnerLabel] that each object gets, and, as "lab-tools", the field manager that applies them: two owners
	// cannot want one object without noticing. It is required: lowercase letters, digits and "-".
	Owner string

	Objects []Object // in any order

	// TakeOver are field managers that give up their fields of these objects: "kubectl-client-side-apply",
	// "Helm". What the manifest does not set stays, and is nobody's. Empty means none: a field that another
	// manager owns and that differs is a conflict.
	TakeOver []string

	// Prune removes the owner's objects that are no longer wanted. Without it nothing is removed.
	Prune bool

	// MaxDeletes is how many objects a plan may remove; 0 means 5, or 3 of 10 of those that are the owner's
	// if those are more.
	MaxDeletes int

	// Wait lets an apply that changed something end when all objects are ready, see [Cluster.Health].
	Wait bool

	// Timeout is how long each wait may take, for what an object comes after, for the end of a removed one,
	// and for all to be ready; 0 means 10 minutes.
	Timeout time.Duration
}

// OwnerLabel is the label that says whose an object is.
const OwnerLabel = "lab.arcodange.lab/owner"

// KeepAnnotation, when it is "true", lets an object never be removed by this package, as the lifecycle rule
// prevent_destroy of Terraform does.
const KeepAnnotation = "lab.arcodange.lab/keep"

// IDs returns the IDs of all changes that a plan may have to make the objects, each also without the owner's name.
// Those of removals are not known before the cluster was read.
func (s *Spec) IDs() (ids []string) {
	for _, o := range s.Objects {
		ids = append(ids, o.String(), s.Owner+"/"+o.String())
	}
	return ids
}

var ownerName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$`)

// manager is the owner's field manager.
func (s *Spec) manager() string { return "lab-" + s.Owner }

func (s *Spec) selector() string { return OwnerLabel + "=" + s.Owner }

func (s *Spec) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 10 * time.Minute
	}
	return s.Timeout
}

// Validate reports everything that is wrong with the spec.
func (s *Spec) Validate() error { return s.validate().Err() }

func (s *Spec) validate() (ps lab.Problems) {
	if !ownerName.MatchString(s.Owner) {
		ps = append(ps, lab.Problem{Path: "owner", Text: s.Owner, Message: "is not a name of lowercase letters, digits and -"})
	}
	if s.MaxDeletes < 0 {
		ps.Add("maxDeletes", "%d is negative", s.MaxDeletes)
	}
	if s.Prune && len(s.Objects) == 0 {
		ps = append(ps, lab.Problem{Path: "objects", Message: "is empty: everything of the owner would be removed",
			Hint: "see why no object is wanted; leave out the pruning if that is meant"})
	}
	seen := map[string]bool{}
	versions := map[schema.GroupKind]string{}
	for _, o := range s.Objects {
		if o.m == nil {
			ps.Add("objects", "there is an empty object: make objects with NewObject")
			continue
		}
		name, gvk := o.String(), o.gvk()
		if seen[name] {
			ps.Add("objects."+name, "is there twice")
		}
		seen[name] = true
		if v, ok := versions[gvk.GroupKind()]; ok && v != gvk.Version {
			ps.Add("objects."+name, "is %s, and others of its kind are %s: write one version", gvk.Version, v)
		}
		versions[gvk.GroupKind()] = gvk.Version
		if owner := o.object().GetLabels()[OwnerLabel]; owner != "" && owner != s.Owner {
			ps.Add("objects."+name, "its label %s says that it belongs to %q", OwnerLabel, owner)
		}
	}
	for _, o := range s.Objects {
		if o.m == nil {
			continue
		}
		for _, need := range o.m.needs {
			if !seen[need] {
				ps.Add("objects."+o.String(), "comes after %s, which is not among the objects", need)
			}
		}
	}
	return ps
}

// owned returns the objects with the owner's label.
func (s *Spec) owned() []Object {
	out := make([]Object, len(s.Objects))
	for n, o := range s.Objects {
		m := *o.m
		u := o.object().DeepCopy()
		labels := u.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[OwnerLabel] = s.Owner
		u.SetLabels(labels)
		m.content = u.Object
		out[n] = Object{&m}
	}
	return out
}
