/** What the product schema's root fields do, and how its entities are made out of references. */
import { Arg, Directive, FieldResolver, ID, Int, Query, Resolver, Root } from "type-graphql";
import type { EntityReferences } from "../../../../src/schema/entity-references";
import { deprecatedProducts, inventories, products, research, user } from "./data";
import { DeprecatedProduct, Product, User } from "./types";

@Resolver()
export class ProductResolver {
  @Query(() => Product, { nullable: true })
  product(@Arg("id", () => ID) id: string) {
    return find(products, { id });
  }

  @Query(() => DeprecatedProduct, { nullable: true, deprecationReason: "Use product query instead" })
  deprecatedProduct(@Arg("sku") sku: string, @Arg("package") name: string) {
    return find(deprecatedProducts, { sku, package: name });
  }
}

@Resolver(() => User)
export class UserResolver {
  /** From what the router has fetched of the user's own subgraph, as `@requires` says; not from what is known here. */
  @Directive('@requires(fields: "totalProductsCreated yearsOfEmployment")')
  @FieldResolver(() => Int, { nullable: true })
  averageProductsCreatedPerYear(@Root() { totalProductsCreated, yearsOfEmployment }: User): number | null {
    return totalProductsCreated === undefined ? null : Math.round(totalProductsCreated / yearsOfEmployment);
  }
}

/** Each entity by any of its keys. */
export const entities: EntityReferences = {
  Product: (reference) => find(products, reference),
  DeprecatedProduct: (reference) => find(deprecatedProducts, reference),
  ProductResearch: (reference) => find(research, reference),
  Inventory: (reference) => find(inventories, reference),
  User: ({ email, ...fetched }) => (email === user.email ? { ...user, ...fetched } : null),
};

function find<T extends object>(all: readonly T[], reference: Readonly<Record<string, unknown>>): T | null {
  return all.find((one) => matches(one, reference)) ?? null;
}

/** Whether all that the reference says of the entity, at any depth, is so. */
function matches(entity: object, reference: object): boolean {
  return Object.entries(reference).every(([name, wanted]: [string, unknown]) => {
    if (name === "__typename") return true;
    const value: unknown = entity[name as keyof typeof entity];
    const nested = typeof wanted === "object" && wanted !== null;
    return nested ? typeof value === "object" && value !== null && matches(value, wanted) : value === wanted;
  });
}
