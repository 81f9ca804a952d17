package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// State is what has become of an object since it was applied.
type State string

// The states.
const (
	Ready       State = "ready"       // the controllers have done what it asks
	Progressing State = "progressing" // they have not yet
	Failed      State = "failed"      // they say that they cannot
	Missing     State = "missing"     // it is not there
	Removing    State = "removing"    // it is being removed
)

// Health is the state of an object.
type Health struct {
	Object  string // "deployment.apps:tools/vault"
	State   State
	Message string // why it is not ready; empty if it is
}

// Health reads the objects of spec and returns the state of each, in the order of their names. It is what
// kstatus of the Kubernetes command line tools says of it (sigs.k8s.io/cli-utils); a HelmChart of k3s is
// ready when Helm has a release of its chart, in its version and with its values, that is deployed: that a job
// succeeded says nothing, for it may be that of an earlier one.
func (c *Cluster) Health(ctx context.Context, spec Spec) ([]Health, error) {
	p, err := c.planner(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer p.close()
	return p.health(ctx)
}

// health reads each kind of the spec once.
func (p *planner) health(ctx context.Context) ([]Health, error) {
	kinds := map[schema.GroupVersionKind]map[string]*unstructured.Unstructured{}
	var out []Health
	for name, o := range p.objects {
		gvk := o.gvk()
		if kinds[gvk] == nil {
			kinds[gvk] = map[string]*unstructured.Unstructured{}
			if k, ok := p.kind(gvk); ok {
				all, err := p.list(ctx, k, "", p.spec.selector())
				if err != nil {
					return nil, err
				}
				for _, u := range all {
					kinds[gvk][keyOf(u)] = u
				}
			}
		}
		state, message, err := p.state(ctx, kinds[gvk][o.key()])
		if err != nil {
			return nil, err
		}
		out = append(out, Health{name, state, o.masker().Mask(message)})
	}
	slices.SortFunc(out, func(a, b Health) int { return cmp.Compare(a.Object, b.Object) })
	return out, nil
}

// state returns the state of an object; nil is one that is not there.
func (p *planner) state(ctx context.Context, u *unstructured.Unstructured) (State, string, error) {
	if u == nil {
		return Missing, "it is not there", nil
	}
	if u.GroupVersionKind().GroupKind() == helmChart && u.GetDeletionTimestamp() == nil {
		return p.release(ctx, u)
	}
	result, err := status.Compute(u)
	if err != nil {
		return Progressing, err.Error(), nil // the status is not as its kind's is: not yet
	}
	switch result.Status {
	case status.CurrentStatus:
		return Ready, "", nil
	case status.FailedStatus:
		return Failed, result.Message, nil
	case status.TerminatingStatus:
		return Removing, result.Message, nil
	}
	return Progressing, result.Message, nil
}

// waitFor waits until an object is ready. One that was ready once in this apply is not looked at again.
func (p *planner) waitFor(ctx context.Context, o Object) error {
	p.mu.Lock()
	seen := p.ready[o.String()]
	p.mu.Unlock()
	if seen {
		return nil
	}
	message := ""
	err := lab.Wait(ctx, lab.Poll{What: o.String(), Timeout: p.spec.timeout()}, func(ctx context.Context) (bool, error) {
		k, ok := p.kind(o.gvk())
		if !ok {
			return false, p.discover(ctx)
		}
		u, err := p.resource(k, o.namespace()).Get(ctx, o.object().GetName(), metav1.GetOptions{})
		if err != nil {
			if kind, _ := kindOf(err); kind == lab.ErrNotFound {
				u = nil
			} else {
				return false, p.fail("read object", o.String(), err)
			}
		}
		var state State
		state, message, err = p.state(ctx, u)
		if err == nil && state == Failed {
			err = p.unready(o.String(), message)
		}
		return state == Ready, err
	})
	if err == nil {
		p.mu.Lock()
		p.ready[o.String()] = true
		p.mu.Unlock()
	}
	return explained(err, o.masker().Mask(message))
}

func (p *planner) unready(object, message string) error {
	return &lab.Error{Op: "wait for object", Target: p.cluster.name(), Path: object, Hint: "see its events: kubectl describe",
		Err: fmt.Errorf("%w: it has failed: %s", lab.ErrBlocked, message)}
}

// explained adds to a timeout why the last look was not enough.
func explained(err error, why string) error {
	if errors.Is(err, lab.ErrTimeout) && why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// waitForKind waits until the cluster knows the kind of an object: it may lag behind what brings the kind.
func (p *planner) waitForKind(ctx context.Context, o Object) (k kind, err error) {
	err = lab.Wait(ctx, lab.Poll{What: "the kind of " + o.String(), Timeout: p.spec.timeout()},
		func(ctx context.Context) (ok bool, err error) {
			if k, ok = p.kind(o.gvk()); ok {
				return true, nil
			}
			if err := p.discover(ctx); err != nil {
				return false, err
			}
			k, ok = p.kind(o.gvk())
			return ok, nil
		})
	return k, err
}

// waitForDefinition waits until the cluster knows the kinds of a CustomResourceDefinition.
func (p *planner) waitForDefinition(ctx context.Context, o Object) error {
	if err := p.waitFor(ctx, o); err != nil {
		return err
	}
	group, _, _ := unstructured.NestedString(o.m.content, "spec", "group")
	name, _, _ := unstructured.NestedString(o.m.content, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedSlice(o.m.content, "spec", "versions")
	return lab.Wait(ctx, lab.Poll{What: "the kinds of " + o.String(), Timeout: p.spec.timeout()},
		func(ctx context.Context) (bool, error) {
			for _, v := range versions {
				v, _ := v.(map[string]any)
				version, _ := v["name"].(string)
				if _, ok := p.kind(schema.GroupVersionKind{Group: group, Version: version, Kind: name}); !ok && v["served"] == true {
					return false, p.discover(ctx)
				}
			}
			return true, nil
		})
}

// waitForAll waits until all objects are ready.
func (p *planner) waitForAll(ctx context.Context, r *lab.Recorder) error {
	defer p.close()
	why := ""
	err := lab.Wait(ctx, lab.Poll{What: "the objects of " + p.spec.Owner + " to be ready", Timeout: p.spec.timeout(), Report: r.Wait},
		func(ctx context.Context) (bool, error) {
			all, err := p.health(ctx)
			if err != nil {
				return false, err
			}
			var waiting []string
			for _, h := range all {
				switch h.State {
				case Failed:
					return false, p.unready(h.Object, h.Message)
				case Ready:
				default:
					waiting = append(waiting, h.Object+": "+h.Message)
				}
			}
			why = strings.Join(waiting, "; ")
			return len(waiting) == 0, nil
		})
	return explained(err, why)
}
