{{/* The services listen on one port inside the cluster; only the edge has another. */}}
{{- define "cartwright.port" -}}
{{ .deployable.port | default 50051 }}
{{- end }}

{{- define "cartwright.image" -}}
{{ printf "%s/%s:%s" .root.Values.image.repository .name (.root.Values.image.tag | default .root.Chart.AppVersion) }}
{{- end }}

{{- define "cartwright.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "cartwright.labels" -}}
{{ include "cartwright.selector" . }}
app.kubernetes.io/part-of: cartwright
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* What a container may do: nothing but run its program. */}}
{{- define "cartwright.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "cartwright.env" -}}
- name: LISTEN
  value: "0.0.0.0:{{ include "cartwright.port" . }}"
- name: METRICS_LISTEN
  value: "0.0.0.0:9100"
- name: DATA_DIR
  value: /var/lib/cartwright
- name: KEYS_DIR
  value: /etc/cartwright/keys
{{- range $peer, $of := .root.Values.deployables }}
{{- if ne $peer "gateway" }}
- name: {{ upper $peer }}_URL
  value: "http://{{ $.root.Release.Name }}-{{ $peer }}:50051"
{{- end }}
{{- end }}
{{- range $key, $value := merge (dict) (.deployable.settings | default dict) .root.Values.settings }}
- name: {{ $key }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
