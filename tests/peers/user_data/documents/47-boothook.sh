#cloud-boothook
#!/bin/sh
echo "boothook of $INSTANCE_ID" >>/srv/log
