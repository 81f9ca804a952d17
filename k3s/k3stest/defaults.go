package k3stest

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fill fills in what is a key of a list when it is left out, as a real server does: the protocol of ports
// (k8s.io/kubernetes, pkg/apis/core/v1/defaults.go). Other defaults are not filled in here.
func fill(u *unstructured.Unstructured) {
	if u.GetKind() == "Service" {
		fillPorts(u.Object, "spec.ports")
	}
	for _, pod := range []string{"spec", "spec.template.spec", "spec.jobTemplate.spec.template.spec"} {
		for _, list := range []string{"containers", "initContainers"} {
			containers, _, _ := unstructured.NestedFieldNoCopy(u.Object, strings.Split(pod+"."+list, ".")...)
			all, _ := containers.([]any)
			for _, c := range all {
				if c, ok := c.(map[string]any); ok {
					fillPorts(c, "ports")
				}
			}
		}
	}
}

func fillPorts(in map[string]any, path string) {
	ports, _, _ := unstructured.NestedFieldNoCopy(in, strings.Split(path, ".")...)
	all, _ := ports.([]any)
	for _, p := range all {
		if p, ok := p.(map[string]any); ok && p["protocol"] == nil {
			p["protocol"] = "TCP"
		}
	}
}
