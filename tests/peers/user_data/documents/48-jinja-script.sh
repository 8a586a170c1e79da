## template: jinja
#!/bin/sh
echo "{{ v1.local_hostname }}" >>/srv/log
