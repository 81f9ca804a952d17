package k3stest

import (
	"net/http"
	"strings"

	discovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// aggregated is the type of an answer that holds all groups with their kinds (Kubernetes 1.30 and later).
const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// discover answers which kinds there are: those of the core group, or all others.
func (s *Server) discover(core bool, w http.ResponseWriter, req *http.Request) error {
	if !strings.Contains(req.Header.Get("Accept"), "as=APIGroupDiscoveryList") {
		return unsupported(req, "a list of kinds that is not aggregated")
	}
	list := discovery.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList",
		APIVersion: "apidiscovery.k8s.io/v2"}}
	groups := map[string]int{}
	for _, k := range s.kinds {
		if (k.gvk.Group == "") != core {
			continue
		}
		n, ok := groups[k.gvk.Group]
		if !ok {
			n = len(list.Items)
			groups[k.gvk.Group] = n
			list.Items = append(list.Items, discovery.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: k.gvk.Group}})
		}
		group := &list.Items[n]
		at := -1
		for i := range group.Versions {
			if group.Versions[i].Version == k.gvk.Version {
				at = i
			}
		}
		if at < 0 {
			at = len(group.Versions)
			group.Versions = append(group.Versions, discovery.APIVersionDiscovery{Version: k.gvk.Version,
				Freshness: discovery.DiscoveryFreshnessCurrent})
		}
		scope := discovery.ScopeCluster
		if k.namespaced {
			scope = discovery.ScopeNamespace
		}
		group.Versions[at].Resources = append(group.Versions[at].Resources, discovery.APIResourceDiscovery{
			Resource: k.resource, Scope: scope, Verbs: verbs, SingularResource: strings.ToLower(k.gvk.Kind),
			ResponseKind: &metav1.GroupVersionKind{Group: k.gvk.Group, Version: k.gvk.Version, Kind: k.gvk.Kind}})
	}
	return answer(w, http.StatusOK, aggregated, list)
}
