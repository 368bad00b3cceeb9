"""Every list read to its end by markers, as scripts do it: with the SDK, until an empty page comes."""

from huaweicloudsdkiotda.v5 import *

from scene import SCENE, authority, client, equal, refused, step

iot = client()
instance = SCENE["instance"]


def paged(call, entries, key, limit=3):
    """All entries, newest first, by markers; each once."""
    seen, marker, counts = [], None, set()
    while True:
        page = call(limit, marker)
        found = getattr(page, entries)
        counts.add(page.page.count)
        if not found:
            break
        assert len(found) <= limit, found
        seen.extend(getattr(one, key) for one in found)
        marker = page.page.marker
    equal(counts, {len(seen)}, "count is of all that match")
    equal(len(set(seen)), len(seen), "each once")
    return seen


app = iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name="lists")))
other = iot.add_application(AddApplicationRequest(instance_id=instance, body=AddApplication(app_name="other")))
equal({one.app_name for one in iot.show_applications(ShowApplicationsRequest(instance_id=instance)).applications}, {"lists", "other"})

step("products")
products = [iot.create_product(CreateProductRequest(instance_id=instance, body=AddProduct(
    name=f"p{n}", device_type="Meter", protocol_type="MQTT", data_format="json", service_capabilities=[], app_id=app.app_id))).product_id
    for n in range(8)]
seen = paged(lambda limit, marker: iot.list_products(ListProductsRequest(
    instance_id=instance, app_id=app.app_id, limit=limit, marker=marker)), "products", "product_id")
equal(seen, products[::-1])

step("policies")
policies = [iot.create_device_policy(CreateDevicePolicyRequest(instance_id=instance, body=CreateDevicePolicy(
    policy_name=f"policy_{n}", app_id=app.app_id, statement=[Statement(
        effect="DENY", actions=["iotda:devices:publish"], resources=[f"topic:secret/{n}"])]))).policy_id for n in range(7)]
seen = paged(lambda limit, marker: iot.list_device_policies(ListDevicePoliciesRequest(
    instance_id=instance, app_id=app.app_id, limit=limit, marker=marker)), "policies", "policy_id")
equal(seen[:7], policies[::-1])
equal(len(seen), 8, "with the policy that every new space gets")

step("templates")
body = lambda: ProvisioningTemplateBody(
    parameters={"iotda::certificate::common_name": {"type": "String"}},
    resources={"device": {"node_id": {"ref": "iotda::certificate::common_name"}, "product_id": products[0]}})
templates = [iot.create_provisioning_template(CreateProvisioningTemplateRequest(instance_id=instance, body=CreateProvisioningTemplate(
    template_name=f"t{n}", template_body=body()))).template_id for n in range(10)]
seen = paged(lambda limit, marker: iot.list_provisioning_templates(ListProvisioningTemplatesRequest(
    instance_id=instance, limit=limit, marker=marker)), "templates", "template_id")
equal(seen, templates[::-1])
refused(lambda: iot.create_provisioning_template(CreateProvisioningTemplateRequest(instance_id=instance, body=CreateProvisioningTemplate(
    template_name="one_too_many", template_body=body()))), 403, "IOTDA.014924")

step("CA certificates")
cas = [iot.add_certificate(AddCertificateRequest(instance_id=instance, body=CreateCertificateDTO(
    content=authority(f"list-ca-{n}"), app_id=app.app_id))).certificate_id for n in range(4)]
seen = paged(lambda limit, marker: iot.list_certificates(ListCertificatesRequest(
    instance_id=instance, limit=limit, marker=marker)), "certificates", "certificate_id")
equal(seen, cas[::-1])

step("devices")
devices = [iot.add_device(AddDeviceRequest(instance_id=instance, body=AddDevice(
    node_id=f"n{n}", device_name="even" if n % 2 == 0 else "odd", product_id=products[n % 2], app_id=app.app_id,
    auth_info=AuthInfo(auth_type="CERTIFICATES", fingerprint=f"{n:064x}")))).device_id for n in range(23)]
every = lambda **filters: paged(lambda limit, marker: iot.list_devices(ListDevicesRequest(
    instance_id=instance, limit=limit, marker=marker, **filters)), "devices", "device_id", limit=5)
equal(every(), devices[::-1], "newest first")
equal(every(app_id=app.app_id), devices[::-1])
equal(every(app_id=other.app_id), [])
equal(every(product_id=products[1], app_id=app.app_id), devices[1::2][::-1])
equal(every(device_name="even"), devices[::2][::-1])
equal(every(node_id="n7"), [devices[7]])
equal(every(start_time="20200101T000000Z", end_time="20200102T000000Z"), [])
equal([one.device_id for one in iot.list_devices(ListDevicesRequest(instance_id=instance, limit=5, offset=20)).devices], devices[2::-1])
marker, seen = None, []
while True:
    where = f" and marker < '{marker}'" if marker else ""
    found = iot.search_devices(SearchDevicesRequest(instance_id=instance, body=SearchSql(
        sql=f"select * from device where app_id = '{app.app_id}'{where} order by marker desc limit 10"))).devices
    if not found:
        break
    seen.extend(one.device_id for one in found)
    marker = found[-1].marker
equal(seen, devices[::-1], "searched to the end by marker")
step("done")
