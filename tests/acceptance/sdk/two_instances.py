"""Two instances behind one API are kept apart, and chosen by host name or by Instance-Id."""

from huaweicloudsdkiotda.v5 import *

from scene import API, SCENE, client, equal, refused, step

iot = client()
names = {"north": "North fleet", "south": "South fleet"}

step("chosen by Instance-Id")
apps = {}
for instance, name in names.items():
    apps[instance] = iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name=name.replace(" ", "-")))).app_id
for instance in names:
    listed = iot.show_applications(ShowApplicationsRequest(instance_id=instance)).applications
    equal([one.app_id for one in listed], [apps[instance]])
refused(lambda: iot.show_application(ShowApplicationRequest(instance_id="north", app_id=apps["south"])), 403, "IOTDA.001000")

step("chosen by host name, under the instance's own certificate")
port = API["address"].rsplit(":", 1)[1]
for instance in names:
    by_host = client(url=f"https://{instance}.test:{port}")
    listed = by_host.show_applications(ShowApplicationsRequest()).applications
    equal([one.app_id for one in listed], [apps[instance]])

step("not chosen at all")
anonymous = client()
error = refused(lambda: anonymous.show_applications(ShowApplicationsRequest()), 400, "IOTDA.014911")
assert "Instance-Id" in error.error_msg and "north, south" in error.error_msg, error.error_msg

step("an operator of one instance sees nothing of the other")
limited = client(**SCENE["north_key"])
equal(len(limited.show_applications(ShowApplicationsRequest(instance_id="north")).applications), 1)
refused(lambda: limited.show_applications(ShowApplicationsRequest(instance_id="south")), 404, "IOTDA.014907")
error = refused(lambda: limited.show_applications(ShowApplicationsRequest()), 400, "IOTDA.014911")
assert "north" in error.error_msg and "south" not in error.error_msg, error.error_msg
step("done")
