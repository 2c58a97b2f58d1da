#include "transport/address_policy.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace inthub {
namespace {

using testing::HasSubstr;

bool allows(const AddressPolicy& policy, const std::string& address) {
  return policy.check(boost::asio::ip::make_address(address)).has_value();
}

struct Case {
  std::string name;
  std::vector<std::string> allowed;
  std::string address;
  bool want;
};

class AddressPolicyTable : public testing::TestWithParam<Case> {};

TEST_P(AddressPolicyTable, Decides) {
  const auto policy = AddressPolicy::make(GetParam().allowed);
  ASSERT_TRUE(policy) << policy.error().message();
  EXPECT_EQ(allows(*policy, GetParam().address), GetParam().want) << GetParam().address;
}

INSTANTIATE_TEST_SUITE_P(
    Addresses, AddressPolicyTable,
    testing::Values(
        Case{"PublicV4", {}, "93.184.215.14", true}, Case{"PublicV6", {}, "2606:2800:21f:cb07::1", true},
        Case{"PublicBesideAPrivateRange", {}, "172.32.0.1", true}, Case{"PublicBelowIt", {}, "172.15.255.255", true},
        Case{"Loopback", {}, "127.0.0.1", false}, Case{"LoopbackElsewhere", {}, "127.200.3.4", false},
        Case{"LoopbackV6", {}, "::1", false}, Case{"LoopbackAllowed", {"loopback"}, "127.0.0.1", true},
        Case{"LoopbackV6Allowed", {"loopback"}, "::1", true},
        Case{"LoopbackAllowedIsNotPrivate", {"loopback"}, "10.0.0.1", false},
        Case{"LoopbackAllowedByAddress", {"127.0.0.1"}, "127.0.0.1", true},
        Case{"OtherLoopbackStaysClosed", {"127.0.0.1"}, "127.0.0.2", false},
        Case{"TenNet", {}, "10.255.255.255", false}, Case{"OneSevenTwo", {}, "172.31.255.255", false},
        Case{"OneNineTwo", {}, "192.168.0.1", false}, Case{"CarrierGradeNat", {}, "100.64.0.1", false},
        Case{"UniqueLocal", {}, "fd12:3456::1", false}, Case{"PrivateAllowed", {"private"}, "10.1.2.3", true},
        Case{"CarrierGradeNatAllowed", {"private"}, "100.64.0.1", true},
        Case{"UniqueLocalAllowed", {"private"}, "fd12:3456::1", true},
        Case{"PrivateAllowedIsNotLoopback", {"private"}, "127.0.0.1", false},
        Case{"PrivateByCidr", {"10.1.0.0/16"}, "10.1.255.1", true},
        Case{"PrivateOutsideTheCidr", {"10.1.0.0/16"}, "10.2.0.1", false},
        Case{"OddPrefix", {"10.128.0.0/9"}, "10.200.0.1", true},
        Case{"OutsideAnOddPrefix", {"10.128.0.0/9"}, "10.127.0.1", false},
        Case{"Metadata", {}, "169.254.169.254", false},
        Case{"MetadataIsNotPrivate", {"private", "loopback"}, "169.254.169.254", false},
        Case{"MetadataNotByRange", {"169.254.0.0/16"}, "169.254.169.254", false},
        Case{"EverythingDoesNotOpenMetadata", {"0.0.0.0/0"}, "169.254.169.254", false},
        Case{"MetadataByName", {"169.254.169.254"}, "169.254.169.254", true},
        Case{"MetadataByFullPrefix", {"169.254.169.254/32"}, "169.254.169.254", true},
        Case{"MetadataV6", {"private"}, "fd00:ec2::254", false},
        Case{"MetadataV6ByName", {"fd00:ec2::254"}, "fd00:ec2::254", true},
        Case{"MetadataInTheSharedRange", {"private"}, "100.100.100.200", false},
        Case{"MetadataAtAPublicAddress", {}, "168.63.129.16", false},
        Case{"LinkLocalV6", {"private"}, "fe80::1", false}, Case{"LinkLocalV6WithScope", {}, "fe80::1%1", false},
        Case{"LinkLocalV6ByName", {"fe80::1/128"}, "fe80::1", true},
        Case{"UnspecifiedV4", {"0.0.0.0/0"}, "0.0.0.0", false}, Case{"UnspecifiedNet", {}, "0.1.2.3", false},
        Case{"UnspecifiedV6", {"::/0"}, "::", false}, Case{"Broadcast", {}, "255.255.255.255", false},
        Case{"ReservedV4", {}, "240.0.0.1", false}, Case{"MulticastV4", {}, "224.0.0.1", false},
        Case{"MulticastV6", {}, "ff02::1", false}, Case{"Documentation", {}, "192.0.2.1", false},
        Case{"DocumentationV6", {}, "2001:db8::1", false}, Case{"Benchmarking", {}, "198.19.0.1", false},
        Case{"Teredo", {}, "2001:0:7f00:1::1", false}, Case{"MappedLoopback", {}, "::ffff:127.0.0.1", false},
        Case{"MappedPrivate", {}, "::ffff:10.0.0.1", false},
        Case{"MappedMetadata", {"private", "loopback"}, "::ffff:169.254.169.254", false},
        Case{"MappedMetadataByName", {"169.254.169.254"}, "::ffff:169.254.169.254", true},
        Case{"MappedPublic", {}, "::ffff:93.184.215.14", true},
        Case{"MappedLoopbackAllowed", {"loopback"}, "::ffff:127.0.0.1", true},
        Case{"TranslatedLoopback", {}, "::ffff:0:127.0.0.1", false},
        Case{"SixToFourPrivate", {}, "2002:0a00:0001::1", false},
        Case{"SixToFourMetadata", {"private"}, "2002:a9fe:a9fe::", false},
        Case{"SixToFourPublic", {}, "2002:5db8:d70e::1", true}, Case{"Nat64Loopback", {}, "64:ff9b::7f00:1", false},
        Case{"Nat64Metadata", {"private"}, "64:ff9b::a9fe:a9fe", false},
        Case{"Nat64Public", {}, "64:ff9b::5db8:d70e", true}, Case{"LocalNat64", {"private"}, "64:ff9b:1::a00:1", false},
        Case{"CompatibleV4", {}, "::10.0.0.1", false}, Case{"SiteLocal", {}, "fec0::1", false}),
    [](const auto& test) { return test.param.name; });

TEST(AddressPolicy, ARefusalNamesAddressRangeAndSetting) {
  const auto policy = AddressPolicy::make({});
  const auto refused = policy->check(boost::asio::ip::make_address("::ffff:10.1.2.3"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(refused.error().reason(), "connectivity.address_denied");
  EXPECT_THAT(refused.error().message(), HasSubstr("(that is 10.1.2.3)"));
  EXPECT_THAT(refused.error().message(), HasSubstr("10.0.0.0/8"));
  EXPECT_THAT(refused.error().remedy(), HasSubstr("outbound.allow"));
  EXPECT_THAT(refused.error().remedy(), HasSubstr("\"private\""));
}

TEST(AddressPolicy, AnEntryThatIsNoRangeIsNamed) {
  for (const char* entry : {"intranet", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8x", "fe80::1%eth0", ""}) {
    const auto policy = AddressPolicy::make({"private", entry});
    ASSERT_FALSE(policy) << entry;
    EXPECT_EQ(policy.error().code(), ErrorCode::invalid_argument);
    EXPECT_THAT(policy.error().message(), HasSubstr(std::string("\"") + entry + "\""));
  }
}

}  // namespace
}  // namespace inthub
