"""Every class of error, as the SDK raises it: status, code, text, request id."""

from huaweicloudsdkiotda.v5 import *

from scene import API, SCENE, authority, client, equal, refused, step

iot = client()
instance = SCENE["instance"]
devices = lambda iot=iot, **query: iot.list_devices(ListDevicesRequest(instance_id=query.pop("instance_id", instance), **query))

step("who asks")
refused(lambda: devices(client(secret_key="wrong" * 8)), 401, "IOTDA.000002")
refused(lambda: devices(client(access_key="NOBODY00000000000000")), 401, "IOTDA.000002")
refused(lambda: devices(client(secret_key="wrong" * 8, derived=True)), 401, "IOTDA.000002")
refused(lambda: devices(client(project_id="0" * 32)), 403, "IOTDA.000021")
equal(devices(client(derived=True)).page.count, devices().page.count, "both algorithms are taken")

step("which instance")
refused(lambda: devices(instance_id="nowhere"), 404, "IOTDA.014907")

step("what is wrong with a request")
refused(lambda: devices(limit=51), 400, "IOTDA.000017")
refused(lambda: devices(offset=501), 400, "IOTDA.000018")
refused(lambda: devices(marker="nonsense"), 400, "IOTDA.000018")
refused(lambda: devices(start_time="yesterday"), 400, "IOTDA.000009")
refused(lambda: devices(start_time="20260102T000000Z", end_time="20260101T000000Z"), 400, "IOTDA.000010")
refused(lambda: devices(app_id="nowhere"), 403, "IOTDA.001000")
refused(lambda: iot.show_application(ShowApplicationRequest(instance_id=instance, app_id="nowhere")), 403, "IOTDA.001000")
refused(lambda: iot.show_device(ShowDeviceRequest(instance_id=instance, device_id="nobody")), 404, "IOTDA.014000")
refused(lambda: iot.show_product(ShowProductRequest(instance_id=instance, product_id="nothing")), 404, "IOTDA.014901")
refused(lambda: iot.show_device_policy(ShowDevicePolicyRequest(instance_id=instance, policy_id="nothing")), 404, "IOTDA.014902")
refused(lambda: iot.show_provisioning_template(ShowProvisioningTemplateRequest(instance_id=instance, template_id="nothing")), 404, "IOTDA.014903")
refused(lambda: iot.show_certificate(ShowCertificateRequest(instance_id=instance, certificate_id="nothing")), 404, "IOTDA.014904")
refused(lambda: iot.show_device_certificate(ShowDeviceCertificateRequest(instance_id=instance, certificate_id="0" * 24)), 404, "IOTDA.014905")
refused(lambda: iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name="<b>"))), 400, "IOTDA.000006")
refused(lambda: iot.search_devices(SearchDevicesRequest(instance_id=instance, body=SearchSql(sql="drop table device"))), 400, "IOTDA.000006")

step("what contradicts what exists")
app = iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name="refusals")))
product = AddProduct(product_id="p", name="p", device_type="d", protocol_type="MQTT", data_format="json", service_capabilities=[], app_id=app.app_id)
iot.create_product(CreateProductRequest(instance_id=instance, body=product))
device = lambda **more: iot.add_device(AddDeviceRequest(instance_id=instance, body=AddDevice(
    node_id="n", product_id="p", app_id=app.app_id, auth_info=AuthInfo(auth_type="CERTIFICATES", fingerprint="a" * 64), **more)))
device()
refused(lambda: device(description="another"), 400, "IOTDA.014031")
refused(lambda: device(device_id="other"), 409, "IOTDA.014933")
refused(lambda: iot.delete_product(DeleteProductRequest(instance_id=instance, product_id="p", app_id=app.app_id)), 409, "IOTDA.014923")
refused(lambda: iot.create_command(CreateCommandRequest(instance_id=instance, device_id="p_n", body=DeviceCommandRequest(paras={"a": 1}))), 403, "IOTDA.014016")
refused(lambda: iot.add_certificate(AddCertificateRequest(instance_id=instance, body=CreateCertificateDTO(content="no PEM", app_id=app.app_id))), 400, "IOTDA.014301")
template = CreateProvisioningTemplate(template_name="named_once", template_body=ProvisioningTemplateBody(
    parameters={"iotda::certificate::common_name": {"type": "String"}},
    resources={"device": {"node_id": {"ref": "iotda::certificate::common_name"}, "product_id": "p"}}))
make = lambda: iot.create_provisioning_template(CreateProvisioningTemplateRequest(instance_id=instance, body=template))
make()
refused(make, 409, "IOTDA.014921")
broken = CreateProvisioningTemplate(template_name="broken", template_body=ProvisioningTemplateBody(parameters={}, resources={"device": {}}))
error = refused(lambda: iot.create_provisioning_template(CreateProvisioningTemplateRequest(instance_id=instance, body=broken)), 400, "IOTDA.014925")
assert "node_id" in error.error_msg and "product_id" in error.error_msg, error.error_msg
iot.delete_device(DeleteDeviceRequest(instance_id=instance, device_id="p_n"))
assert device().device_id == "p_n"

step("wrong signatures lock no key")
made = SCENE.get("spare_key")
for _ in range(20):
    refused(lambda: devices(client(access_key=made["access_key"], secret_key="wrong" * 8)), 401, "IOTDA.000002")
devices(client(access_key=made["access_key"], secret_key=made["secret_key"]))
step("a body over 1 MB is refused with its own code")
refused(lambda: iot.create_message(CreateMessageRequest(instance_id=instance, device_id="p_n", body=DeviceMessageRequest(message="x" * 3_000_000))), 403, "IOTDA.021105")
step("done")
