package k3stest

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is a kind of objects that the server knows.
type kind struct {
	gvk        schema.GroupVersionKind
	resource   string // plural
	namespaced bool
	model      *model // of a custom resource; nil for a kind of Kubernetes' own
}

func (k kind) gvr() schema.GroupVersionResource { return k.gvk.GroupVersion().WithResource(k.resource) }

// builtin are the kinds that every cluster of k3s has: "GROUP/VERSION KIND", those in no namespace with a star.
const builtin = `
v1 Namespace* Node* PersistentVolume* ConfigMap Secret Service ServiceAccount PersistentVolumeClaim Pod Endpoints
v1 ResourceQuota LimitRange Event
apps/v1 Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision
batch/v1 Job CronJob
networking.k8s.io/v1 Ingress NetworkPolicy IngressClass*
rbac.authorization.k8s.io/v1 Role RoleBinding ClusterRole* ClusterRoleBinding*
storage.k8s.io/v1 StorageClass* CSIDriver* CSINode* VolumeAttachment*
policy/v1 PodDisruptionBudget
autoscaling/v2 HorizontalPodAutoscaler
scheduling.k8s.io/v1 PriorityClass*
discovery.k8s.io/v1 EndpointSlice
coordination.k8s.io/v1 Lease
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration* ValidatingWebhookConfiguration*
apiregistration.k8s.io/v1 APIService*
apiextensions.k8s.io/v1 CustomResourceDefinition*
helm.cattle.io/v1 HelmChart HelmChartConfig`

var crd = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

func builtinKinds() (kinds []kind) {
	for _, line := range strings.Split(strings.TrimSpace(builtin), "\n") {
		words := strings.Fields(line)
		gv, err := schema.ParseGroupVersion(words[0])
		if err != nil {
			panic(err) // of the constant above
		}
		for _, word := range words[1:] {
			name, cluster := strings.CutSuffix(word, "*")
			kinds = append(kinds, kind{gvk: gv.WithKind(name), resource: plural(name), namespaced: !cluster})
		}
	}
	return kinds
}

// plural is how the resource of a kind of Kubernetes' own is called.
func plural(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case kind == "Endpoints":
		return name
	case strings.HasSuffix(name, "s"):
		return name + "es"
	case strings.HasSuffix(name, "cy"):
		return strings.TrimSuffix(name, "y") + "ies"
	}
	return name + "s"
}

var verbs = metav1.Verbs{"create", "delete", "get", "list", "patch", "update"}
