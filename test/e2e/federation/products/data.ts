/** The data that the compatibility suite expects to find. */

export const user = {
  email: "support@apollographql.com",
  name: "Jane Smith",
  totalProductsCreated: 1337,
  yearsOfEmployment: 10,
};

const federationStudy = { study: { caseNumber: "1234", description: "Federation Study" } };
const studioStudy = { study: { caseNumber: "1235", description: "Studio Study" } };

export const research = [federationStudy, studioStudy];

const dimensions = { size: "small", weight: 1, unit: "kg" };

export const products = [
  {
    id: "apollo-federation",
    sku: "federation",
    package: "@apollo/federation",
    variation: { id: "OSS" },
    dimensions,
    createdBy: user,
    research: [federationStudy],
  },
  {
    id: "apollo-studio",
    sku: "studio",
    package: "",
    variation: { id: "platform" },
    dimensions,
    createdBy: user,
    research: [studioStudy],
  },
];

export const deprecatedProducts = [
  {
    sku: "apollo-federation-v1",
    package: "@apollo/federation-v1",
    reason: "Migrate to Federation V2",
    createdBy: user,
  },
];

export const inventories = [{ id: "apollo-oss", deprecatedProducts }];
