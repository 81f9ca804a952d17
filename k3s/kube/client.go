package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/internal/httpx"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// client is a connection to a cluster.
type client struct {
	cluster *Cluster
	http    *http.Client
	dynamic dynamic.Interface
	names   metadata.Interface // of objects, without their contents
	kinds   discovery.DiscoveryInterfaceWithContext

	mu        sync.Mutex
	known     map[schema.GroupVersionKind]kind
	preferred map[schema.GroupKind]kind // in the version that the server prefers
}

// kind is what the cluster says of a kind of objects.
type kind struct {
	gvk        schema.GroupVersionKind
	gvr        schema.GroupVersionResource
	namespaced bool
	removable  bool // they can be listed and deleted
}

// pageSize is how many objects are read at once.
const pageSize = 500

// connect returns a client. Nothing is sent yet.
func (c *Cluster) connect() (*client, error) {
	a, ps := c.access()
	if err := ps.Err(); err != nil {
		return nil, &lab.Error{Op: "read cluster", Target: c.name(), Err: err}
	}
	counted := &httpx.Counters{}
	hc := httpx.Client(httpx.Options{Boundary: c.Boundary, TLS: a.tls, Parallel: c.parallel(), Tries: 5, Counters: counted})
	hc.Transport = authorized{hc.Transport, a, c}
	config := &rest.Config{Host: a.server.String(), QPS: -1, UserAgent: "lab",
		WarningHandlerWithContext: warnings{c}}
	objects, err1 := dynamic.NewForConfigAndClient(config, hc)
	names, err2 := metadata.NewForConfigAndClient(config, hc)
	kinds, err3 := discovery.NewDiscoveryClientForConfigAndClient(config, hc)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, &lab.Error{Op: "read cluster", Target: c.name(), Err: fmt.Errorf("%w: %w", lab.ErrInvalid, err)}
	}
	return &client{cluster: c, http: hc, dynamic: objects, names: names, kinds: kinds}, nil
}

// close leaves no connection open.
func (c *client) close() { c.http.CloseIdleConnections() }

// authorized adds the credentials to requests, and counts them.
type authorized struct {
	next    http.RoundTripper
	access  access
	cluster *Cluster
}

func (a authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	switch {
	case !a.access.token.IsZero():
		req.Header.Set("Authorization", "Bearer "+a.access.token.Reveal())
	case !a.access.user.IsZero():
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString(
			[]byte(a.access.user.Reveal()+":"+a.access.password.Reveal())))
	}
	if n := a.cluster.Counters; n != nil {
		n.Requests.Add(1)
		if !httpx.Reads(req.Method) && req.URL.Query().Get("dryRun") == "" {
			n.Writes.Add(1)
		}
	}
	return a.next.RoundTrip(req)
}

// CloseIdleConnections closes those of the transport: [http.Client] asks for it.
func (a authorized) CloseIdleConnections() {
	if c, ok := a.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// warnings logs what the server warns of, such as a version of a kind that will be removed.
type warnings struct{ cluster *Cluster }

func (w warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	if text != "" {
		w.cluster.log().Warn(text, "cluster", w.cluster.name())
	}
}

// discover reads which kinds the cluster knows: two requests, where the server has aggregated discovery
// (Kubernetes 1.26 and later).
func (c *client) discover(ctx context.Context) error {
	groups, lists, err := c.kinds.ServerGroupsAndResourcesWithContext(ctx)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return c.fail("list kinds", "", err)
	}
	if err != nil { // of an API server behind this one, such as that of metrics: its kinds are not known
		c.cluster.log().Warn("some kinds are not known", "cluster", c.cluster.name(), "error", err)
	}
	prefers := map[string]bool{}
	for _, g := range groups {
		prefers[g.PreferredVersion.GroupVersion] = true
	}
	known, preferred := map[schema.GroupVersionKind]kind{}, map[schema.GroupKind]kind{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue // a part of objects, such as their status
			}
			verbs := map[string]bool{}
			for _, v := range r.Verbs {
				verbs[v] = true
			}
			gvk := gv.WithKind(r.Kind)
			known[gvk] = kind{gvk: gvk, gvr: gv.WithResource(r.Name), namespaced: r.Namespaced,
				removable: verbs["list"] && verbs["delete"] && verbs["patch"]}
			if _, ok := preferred[gvk.GroupKind()]; !ok || prefers[list.GroupVersion] {
				preferred[gvk.GroupKind()] = known[gvk]
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.preferred = known, preferred
	return nil
}

// kind returns what is known of a kind, false if the cluster does not know it.
func (c *client) kind(gvk schema.GroupVersionKind) (kind, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.known[gvk]
	return k, ok
}

// resource returns the objects of a kind in a namespace; "" means all namespaces, or none for a kind
// without.
func (c *client) resource(k kind, namespace string) dynamic.ResourceInterface {
	if !k.namespaced || namespace == "" {
		return c.dynamic.Resource(k.gvr)
	}
	return c.dynamic.Resource(k.gvr).Namespace(namespace)
}

// list reads all objects of a kind that a selector of labels selects, in a namespace or in all.
func (c *client) list(ctx context.Context, k kind, namespace, selector string) (all []*unstructured.Unstructured, err error) {
	o := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	if isSecret(k.gvk.GroupKind()) {
		o.FieldSelector = "type!=helm.sh/release.v1" // up to 1 MiB each, and nobody's manifest
	}
	for {
		page, err := c.resource(k, namespace).List(ctx, o)
		if err != nil {
			return nil, c.fail("list objects", k.gvr.GroupResource().String(), err)
		}
		for n := range page.Items {
			all = append(all, &page.Items[n])
		}
		if o.Continue = page.GetContinue(); o.Continue == "" {
			return all, nil
		}
	}
}

// listNames does the same as list, in all namespaces, without the contents of the objects.
func (c *client) listNames(ctx context.Context, k kind, selector string) (all []metav1.PartialObjectMetadata, err error) {
	o := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := c.names.Resource(k.gvr).List(ctx, o)
		if err != nil {
			return nil, c.fail("list objects", k.gvr.GroupResource().String(), err)
		}
		all = append(all, page.Items...)
		if o.Continue = page.GetContinue(); o.Continue == "" {
			return all, nil
		}
	}
}

// namespaces returns the UIDs of all namespaces: that of kube-system is the identity of a cluster.
func (c *client) namespaces(ctx context.Context) (map[string]string, error) {
	all, err := c.listNames(ctx, kind{gvr: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}}, "")
	uids := map[string]string{}
	for _, ns := range all {
		uids[ns.Name] = string(ns.UID)
	}
	return uids, err
}

const identityNamespace = "kube-system"

// prove returns an [lab.ErrRefused] unless the cluster is the one that is meant.
func (c *client) prove(is, meant, why string) error {
	if is == meant || meant == "" {
		return nil
	}
	return &lab.Error{Op: "prove identity", Target: c.cluster.name(), Hint: "see where the kubeconfig leads",
		Set: lab.Setting{Name: SettingIdentity, Value: is},
		Err: fmt.Errorf("%w: it is another cluster %s: the UID of its namespace %s is %q, not %q", lab.ErrRefused, why,
			identityNamespace, is, meant)}
}
